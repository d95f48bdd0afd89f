"""The package as a whole: its record, and runs with the weights that ship."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import instyle_fcn8s
from instyle_core import fetch, read_picture, testing
from instyle_fcn8s.checkpoint import read_metadata
from instyle_fcn8s.weights import ANIMALS
from tests.core.helpers.commands import Command

ROOT = Path(__file__).parents[3]
CAT = ROOT / "instyle_core" / "demo" / "cat.png"
SWIRLS = ROOT / "instyle_core" / "demo" / "swirls.jpg"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")


def test_it_is_announced() -> None:
    registry = testing.registry(instyle_fcn8s)
    assert [entry.plugin.name for entry in registry.entries("segmenter")] == ["fcn8s"]
    assert not registry.failures


def test_segment_names_the_cat(tmp_path: Path, instyle: Command) -> None:
    overlay = tmp_path / "overlay.png"
    done = instyle("segment", CAT, "--json", "-o", overlay)
    assert done.status == 0, done.err
    (cat,) = json.loads(done.out)["objects"]
    assert cat["class"] == "cat"
    assert 0.6 < cat["area"] < 0.85
    assert cat["confidence"] > 0.9
    assert overlay.is_file()


def test_a_class_and_no_segmenter_is_enough(tmp_path: Path, instyle: Command) -> None:
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
    assert instyle("pipeline", "run", path, "--quiet").status == 0
    mask = np.asarray(Image.open(tmp_path / "out.png.run/object-0/mask.png")) > 127
    photo = np.rint(read_picture(CAT).pixels.permute(1, 2, 0).numpy() * 255)
    out = np.asarray(Image.open(tmp_path / "out.png").convert("RGB"))
    changed = (out != photo).any(axis=2)
    assert not changed[~mask].any()
    assert changed[mask].mean() > 0.8
    # The middle of the face is the cat's, and the corner above its shoulder is not.
    assert mask[150, 200]
    assert not mask[10, 440]


def test_another_class_is_refused_with_the_choices(instyle: Command) -> None:
    done = instyle("segment", CAT, "--class", "bird")
    assert done.status == 2
    message = " ".join(done.err.split())
    assert "does not know the class 'bird'" in message
    assert "cat, cow, dog, horse, person, sheep" in message


def test_classes_lists_them(instyle: Command) -> None:
    assert instyle("fcn8s", "classes").out.split() == read_metadata(fetch(ANIMALS)).classes
