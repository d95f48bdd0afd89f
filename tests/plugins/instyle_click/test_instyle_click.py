"""The package as a whole: its record, and runs with a file of weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import instyle_click
import instyle_fcn8s.weights
from instyle_click import checkpoint
from instyle_click.network import ClickNet
from instyle_core import fetch, testing
from tests.core.helpers.commands import Command, assert_error
from tests.core.helpers.imports import HEAVY, imported_by
from tests.plugins.instyle_training.shapes import scene


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A network that finds everything."""
    torch.manual_seed(0)
    network = ClickNet(encoder="tu-test_efficientnet")
    with torch.no_grad():
        network.score.bias.fill_(100)
    path = tmp_path / "net.safetensors"
    checkpoint.save(path, network)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(scene(0)[0]).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_it_is_announced() -> None:
    registry = testing.registry(instyle_click)
    (entry,) = registry.entries("segmenter")
    assert entry.plugin.name == "click"
    assert not registry.failures


def test_it_is_announced_without_heavy_imports() -> None:
    modules = imported_by(
        "import instyle_click; [p.params() for p in instyle_click.instyle_plugins()]"
    )
    assert not modules & {*HEAVY, "lightning", "torchmetrics"}


def use(weights: Path) -> tuple[str, str]:
    return "--use", f"{{use: click, weights: {weights}}}"


def test_segment(instyle: Command, weights: Path, photo: Path, tmp_path: Path) -> None:
    """And writes the mask that a run would use."""
    mask = tmp_path / "mask.png"
    given = (*use(weights), "--point", "20,20", "--json", "--mask", mask, "-o", tmp_path / "o.png")
    done = instyle("segment", photo, *given)
    assert done.status == 0, done.err
    (found,) = json.loads(done.out)["objects"]
    assert found["class"] == "object"
    assert found["area"] == 1
    assert (np.asarray(Image.open(mask).convert("L")) == 255).all()


def test_segment_without_a_point(instyle: Command, weights: Path, photo: Path) -> None:
    done = instyle("segment", photo, *use(weights))
    assert_error(done, 2, "click", "needs to be told where the object is")


def test_segment_with_the_weights_of_another_segmenter(instyle: Command, photo: Path) -> None:
    other = fetch(instyle_fcn8s.weights.ANIMALS)
    done = instyle("segment", photo, *use(other), "--point", "20,20")
    assert_error(done, 2, "fcn8s-animals.safetensors", "network: Field required", hint=False)
