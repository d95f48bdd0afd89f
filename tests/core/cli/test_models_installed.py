"""``instyle models``, on weights of the plugins that are installed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.core.helpers.commands import Command, assert_error
from tests.core.helpers.studio import Studio


def test_models(instyle: Command, studio: Studio) -> None:
    done = instyle("models", "list", "--json")
    assert (done.status, done.err) == (0, "")
    rows = {row["name"]: row for row in json.loads(done.out)}
    assert rows["toy-missing"]["used_by"] == ["extractor heavy"]
    assert rows["toy-missing"]["path"] is None
    assert "toy-missing" in instyle("models", "list").out
    done = instyle("models", "path", "vgg19-oxford")
    assert Path(done.out.removesuffix("\n")).is_file()
    for command in ("path", "pull"):
        assert_error(instyle("models", command, "toy-missing"), 3, "no_such_package")
        assert_error(instyle("models", command, "toy-misssing"), 2, "toy-missing")
