"""The weights that ship: the file, and what is said of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import instyle_click
from instyle_click.description import read_metadata
from instyle_click.weights import SHIPPED
from instyle_core import fetch

ROOT = Path(__file__).parents[3]


def test_the_file() -> None:
    path = fetch(SHIPPED)
    assert path.parent == Path(instyle_click.__file__).parent
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHIPPED.sha256
    assert path.stat().st_size <= 12_000_000
    assert path.stat().st_size == pytest.approx(1e6 * SHIPPED.megabytes, rel=0.02)
    metadata = read_metadata(path)
    assert metadata.encoder == "tu-tf_efficientnet_lite0"
    assert len(metadata.training["list_sha256"]) == 64
    assert metadata.training["without"] == []


def test_the_model_card_tells_the_figures_of_the_file() -> None:
    val = read_metadata(fetch(SHIPPED)).training["val"]
    card = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for clicks in ("1", "3"):
        assert f"{val['iou'][clicks]:.3f}" in card
    assert val["iou"]["1"] >= 0.8
    assert val["iou"]["3"] >= 0.88
