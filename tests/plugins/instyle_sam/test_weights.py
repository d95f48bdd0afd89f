"""The published networks: each is pinned to one commit and one hash."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from instyle_core import Weights
from instyle_sam.weights import READERS, SAMS, Method, SamModel


@pytest.mark.parametrize("record", [*SAMS.values(), *READERS.values()], ids=lambda r: r.name)
def test_published_networks_are_pinned(record: Weights) -> None:
    assert re.fullmatch("[0-9a-f]{64}", record.sha256)
    found = re.search("/resolve/([0-9a-f]{40})/model.safetensors$", str(record.url))
    assert found
    names = [file for _, file, _ in record.beside]
    words = ["tokenizer.json", "tokenizer_config.json"] if record in READERS.values() else []
    assert names == ["config.json", "preprocessor_config.json", *words]
    for repository, file, revision in record.beside:
        assert revision == found[1]
        expected = str(record.url).replace("model.safetensors", file)
        assert expected.endswith(f"/{repository}/resolve/{revision}/{file}")
    assert record.license == "Apache-2.0"


def test_every_name_is_published() -> None:
    assert tuple(SAMS) == get_args(SamModel)
    assert tuple(READERS) == get_args(Method)
    assert all(name == record.name for name, record in SAMS.items())
