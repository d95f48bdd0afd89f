"""The weights that ship: the file, and what is said of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import instyle_fcn8s
from instyle_core import fetch
from instyle_fcn8s.description import read_metadata
from instyle_fcn8s.weights import ANIMALS

ROOT = Path(__file__).parents[3]


def test_the_file() -> None:
    path = fetch(ANIMALS)
    assert path.parent == Path(instyle_fcn8s.__file__).parent
    assert hashlib.sha256(path.read_bytes()).hexdigest() == ANIMALS.sha256
    assert path.stat().st_size <= 10_000_000
    assert path.stat().st_size == pytest.approx(1e6 * ANIMALS.megabytes, rel=0.02)
    metadata = read_metadata(path)
    assert metadata.classes == ["background", "cat", "cow", "dog", "horse", "person", "sheep"]
    assert (metadata.encoder, metadata.variant) == ("tu-tf_efficientnet_lite0", "8s")
    assert len(metadata.training["list_sha256"]) == 64
    assert metadata.training["started_from"]["recipe"]["preset"] == "modern"


def test_the_model_card_tells_the_figures_of_the_file() -> None:
    val = read_metadata(fetch(ANIMALS)).training["val"]
    card = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert f"{val['mean_iou']:.4f}" in card
    assert f"{val['pixel_accuracy']:.4f}" in card
    assert val["mean_iou"] >= 0.8
    assert val["pixel_accuracy"] >= 0.94
