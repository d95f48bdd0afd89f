"""The published networks: each is pinned to one commit and one hash."""

from __future__ import annotations

import re

from instyle_midas import weights


def test_published_networks_are_pinned() -> None:
    for record in weights.PUBLISHED.values():
        assert re.fullmatch("[0-9a-f]{64}", record.sha256)
        assert re.search("/resolve/[0-9a-f]{40}/model.safetensors$", str(record.url))
        (config, preprocessor) = record.beside
        assert (config[1], preprocessor[1]) == ("config.json", "preprocessor_config.json")
        for repository, file, revision in record.beside:
            assert re.fullmatch("[0-9a-f]{40}", revision)
            expected = str(record.url).replace("model.safetensors", file)
            assert expected.endswith(f"/{repository}/resolve/{revision}/{file}")
