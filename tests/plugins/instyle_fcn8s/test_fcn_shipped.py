"""The weights that ship: what they are, and that they find the cat."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from instyle_core import fetch, read_picture
from instyle_core.cli import main
from instyle_core.weights.fetch import verify
from instyle_fcn8s.checkpoint import read_metadata
from instyle_fcn8s.weights import ANIMALS

ROOT = Path(__file__).parents[3]
CAT = ROOT / "instyle_core" / "demo" / "cat.png"
SWIRLS = ROOT / "instyle_core" / "demo" / "swirls.jpg"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return int(left.value.code or 0)


def test_the_file() -> None:
    path = fetch(ANIMALS)
    verify(ANIMALS)
    assert len(ANIMALS.sha256) == 64
    assert path.stat().st_size <= 10_000_000
    assert path.stat().st_size == pytest.approx(1e6 * ANIMALS.megabytes, rel=0.02)
    metadata = read_metadata(path)
    assert metadata.classes == ["background", "cat", "cow", "dog", "horse", "person", "sheep"]
    assert (metadata.encoder, metadata.variant) == ("tu-tf_efficientnet_lite0", "8s")
    assert len(metadata.training["list_sha256"]) == 64
    assert metadata.training["recipe"]["preset"] == "modern"


def test_the_model_card_tells_the_figures_of_the_file() -> None:
    val = read_metadata(fetch(ANIMALS)).training["val"]
    card = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert f"{val['mean_iou']:.4f}" in card
    assert f"{val['pixel_accuracy']:.4f}" in card
    assert val["mean_iou"] >= 0.75
    assert val["pixel_accuracy"] >= 0.92


def test_segment_names_the_cat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay = tmp_path / "overlay.png"
    assert run("segment", str(CAT), "--json", "-o", str(overlay)) == 0
    (cat,) = json.loads(capsys.readouterr().out)["objects"]
    assert cat["class"] == "cat"
    assert 0.6 < cat["area"] < 0.85
    assert cat["confidence"] > 0.9
    assert overlay.is_file()


def test_a_class_and_no_segmenter_is_enough(tmp_path: Path) -> None:
    spec = {
        "version": 1,
        "content": str(CAT),
        "output": "out.png",
        "style": str(SWIRLS),
        "objects": [{"select": {"class": "cat"}}],
        "optimizer": {"use": "adam", "steps": 1},
        "losses": [{"use": "tv"}],
        "merger": {"use": "hard"},
        "size": 64,
        "device": "cpu",
    }
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(spec))
    assert run("pipeline", "run", str(path), "--quiet") == 0
    mask = np.asarray(Image.open(tmp_path / "out.run/object-0/mask.png")) > 127
    photo = np.rint(read_picture(CAT).pixels.permute(1, 2, 0).numpy() * 255)
    out = np.asarray(Image.open(tmp_path / "out.png").convert("RGB"))
    changed = (out != photo).any(axis=2)
    assert not changed[~mask].any()
    assert changed[mask].mean() > 0.8
    # The middle of the face is the cat's, and the corner above its shoulder is not.
    assert mask[150, 200]
    assert not mask[10, 440]


def test_another_class_is_refused_with_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("segment", str(CAT), "--class", "bird") == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "does not know the class 'bird'" in message
    assert "cat, cow, dog, horse, person, sheep" in message


def test_classes_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fcn8s", "classes") == 0
    assert capsys.readouterr().out.split() == read_metadata(fetch(ANIMALS)).classes
