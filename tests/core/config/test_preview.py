"""Previews: smaller and quicker, never larger or slower, and a picture of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from instyle_core.config.document import Document
from instyle_core.config.preview import preview


def previewed(**spec: Any) -> dict[str, Any]:
    document = Document("spec.yaml", Path("/specs"), spec)
    preview(document)
    assert document.problems == []
    return document.data


@pytest.mark.parametrize(("given", "size", "shrink"), [(512, 224, 640), (100, 100, 640)])
def test_sizes(given: int, size: int, shrink: int) -> None:
    found = previewed(size=given, output="a.png")
    assert (found["size"], found["shrink"]) == (size, shrink)
    assert previewed(shrink=300)["shrink"] == 300
    assert previewed(shrink=None)["shrink"] == 640


@pytest.mark.parametrize(
    ("optimizer", "steps"), [(None, 60), ({"use": "lbfgs"}, 60), ({"use": "adam", "steps": 9}, 9)]
)
def test_steps(optimizer: dict[str, Any] | None, steps: int) -> None:
    found = previewed(optimizer=optimizer)["optimizer"]
    assert found["steps"] == steps
    assert found["use"] == (optimizer or {"use": "adam"})["use"]


def test_the_output_has_a_name_of_its_own() -> None:
    assert previewed(output="a/b.jpg")["output"] == "/specs/a/b-preview.jpg"
    assert "output" not in previewed()
    assert previewed(output="-")["output"] == "-"  # standard output


def test_what_is_wrong_is_left_to_the_check_of_the_document() -> None:
    found = previewed(size="x", output=3, optimizer={"steps": "y"})
    assert (found["size"], found["output"], found["optimizer"]) == ("x", 3, {"steps": "y"})
    document = Document("spec.yaml", Path(), [1])
    preview(document)
    assert document.data == [1]
