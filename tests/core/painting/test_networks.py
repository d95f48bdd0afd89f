"""The extractors of a run: which are loaded, with which parameters, and how they are computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from instyle_core import pipeline
from instyle_core.config.plan import Plan
from instyle_core.device import choose_tile
from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.painting.networks import Networks, load_networks
from instyle_core.testing import picture
from tests.core.helpers.studio import Studio, rectangle, save

CPU = torch.device("cpu")

#: One loss reads `pixels`, the other an extractor that the spec gives a name.
LOSSES = [
    {"use": "content", "extractor": "pixels", "layers": ["cells"]},
    {"use": "style", "extractor": "mine", "layers": ["cells"]},
]


def plan(studio: Studio, **changes: Any) -> Plan:
    return studio.plan(losses=LOSSES, extractors={"mine": {"use": "pixels"}}, **changes)


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch, studio: Studio) -> list[tuple[torch.device, Any]]:
    """Where the toy extractors are moved to, and in which type."""
    from instyle_toy.parts import Pixels

    seen: list[tuple[torch.device, Any]] = []

    def to(self: FeatureExtractor, device: torch.device, dtype: torch.dtype) -> FeatureExtractor:
        seen.append((device, dtype))
        return self

    monkeypatch.setattr(Pixels, "to", to)
    return seen


def test_extractors_have_the_names_that_losses_know_them_by(studio: Studio) -> None:
    networks = load_networks(plan(studio), CPU, torch.float32)
    assert set(networks.extractors) == set(networks.params) == {"pixels", "mine"}
    assert networks.extractors["pixels"] is not networks.extractors["mine"]
    image = picture(8, 8)[None]
    for name, extractor in networks.extractors.items():
        assert extractor.extract(image, ["cells"])["cells"].shape[-2:] == (4, 4)
        assert dict(networks.params[name].layers()) == {"cells": 2}
    assert (networks.device, networks.precision) == (CPU, torch.float32)


def test_an_extractor_has_the_parameters_of_the_spec(studio: Studio) -> None:
    losses = [{"use": "content", "extractor": "narrow", "layers": ["relu1_1"]}]
    extractors = {"narrow": {"use": "vgg19", "pooling": "average"}, "unread": {"use": "vgg19"}}
    made = load_networks(studio.plan(losses=losses, extractors=extractors), CPU, torch.float32)
    assert list(made.extractors) == ["narrow"]  # nobody reads the other
    assert made.params["narrow"].model_dump()["pooling"] == "average"


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_weights_are_float32_whatever_the_precision(
    studio: Studio, moved: list[tuple[torch.device, Any]], precision: torch.dtype
) -> None:
    """Mixed precision converts them as it goes; a device gets them once."""
    networks = load_networks(plan(studio), CPU, precision)
    assert moved == [(CPU, torch.float32)] * 2
    assert networks.precision == precision


@pytest.mark.parametrize("tile", ["auto", 512])
def test_tiles_are_those_of_the_spec(studio: Studio, tile: Any) -> None:
    networks = load_networks(plan(studio, tile=tile), CPU, torch.float32)
    assert networks.tile == (512 if tile == 512 else choose_tile("auto", CPU, torch.float32))
    assert networks.tile > 0


def test_sums_of_another_way_to_compute_are_not_recalled(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are kept apart by device, precision and tile; found again where these are the same."""
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path / "cache"))
    losses = [{"use": "style", "layers": ["relu1_1"]}]
    times = 0

    def recall(networks: Networks) -> None:
        def compute() -> tuple[torch.Tensor, ...]:
            nonlocal times
            times += 1
            return (torch.ones(2),)

        assert networks.style_cache
        networks.style_cache.recall(picture()[None], {"vgg19": ["relu1_1"]}, "sums", compute)

    ways = [(torch.float32, 512), (torch.bfloat16, 512), (torch.float32, 1024)]
    for precision, tile in [*ways, *ways]:
        recall(load_networks(studio.plan(losses=losses, tile=tile), CPU, precision))
    assert times == len(ways)


def test_a_run_loads_each_extractor_once_for_all_objects(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Networks] = []
    load = pipeline.load_networks

    def watched(*given: Any) -> Networks:
        loaded.append(load(*given))
        return loaded[-1]

    monkeypatch.setattr(pipeline, "load_networks", watched)
    save(studio.folder / "second.png", rectangle((45, 5, 55, 15)))
    second = {"segmenter": {"use": "stencil", "path": "second.png"}}
    pipeline.run(plan(studio, objects=[{}, second]))
    assert len(loaded) == 1
