"""What holds for every merger, and for the records of the package."""

from __future__ import annotations

import pytest
import torch

import instyle_mergers
from instyle_core import Mask, Merger, testing
from instyle_mergers.params import FeatherParams, HardParams, MRFParams, MultibandParams

PARAMS = {
    "hard": [HardParams()],
    "feather": [
        *(FeatherParams(width=width) for width in (0, 0.5, 1, 2, 6, 40, 500)),
        FeatherParams(matte="probability"),
    ],
    "multiband": [MultibandParams(levels=levels) for levels in (0, 1, 3, 8)],
    "mrf": [
        *(MRFParams(smoothness=smoothness) for smoothness in (0, 12, 1000)),
        *(MRFParams(band=band, width=width) for band, width in ((0.01, 0), (0.5, 40))),
    ],
}


REGISTRY = testing.registry(instyle_mergers)
CASES = {
    f"{name} {params}".strip(): (name, params) for name, many in PARAMS.items() for params in many
}


@pytest.fixture(params=CASES)
def merger(request: pytest.FixtureRequest) -> Merger:
    name, params = CASES[request.param]
    made = REGISTRY.find("merger", name).load()(params)
    assert isinstance(made, Merger)
    return made


def test_all_are_announced() -> None:
    names = [entry.plugin.name for entry in REGISTRY.entries("merger")]
    assert names == ["feather", "hard", "mrf", "multiband"]
    assert not REGISTRY.failures


def test_contract(merger: Merger) -> None:
    testing.check_merger(merger)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (20, 30)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_or_nothing(merger: Merger, size: tuple[int, int], value: float) -> None:
    decision = torch.full((1, *size), value)
    mask = Mask(decision, decision)
    content, stylized = testing.picture(*size, seed=1), testing.picture(*size, seed=2)
    assert torch.equal(merger.paints(mask), decision)
    assert torch.equal(merger.merge(content, stylized, mask), stylized if value else content)


def test_a_picture_merged_with_itself_is_unchanged(merger: Merger) -> None:
    content = testing.picture(48, 40)
    assert torch.equal(merger.merge(content, content.clone(), testing.disc(48, 40)), content)
