"""What holds for every merger, and for the records of the package."""

import pytest
import torch

import instyle_mergers
from instyle_core import Mask, Merger, testing
from instyle_mergers.params import FeatherParams, HardParams

PARAMS = {
    "hard": [HardParams()],
    "feather": [
        *(FeatherParams(width=width) for width in (0, 0.5, 1, 2, 6, 40, 500)),
        FeatherParams(matte="probability"),
    ],
}


def mergers() -> list[Merger]:
    entries = testing.registry(instyle_mergers).entries("merger")
    return [
        entry.plugin.load()(params) for entry in entries for params in PARAMS[entry.plugin.name]
    ]


def test_both_are_announced() -> None:
    registry = testing.registry(instyle_mergers)
    assert [entry.plugin.name for entry in registry.entries("merger")] == ["feather", "hard"]
    assert not registry.failures


@pytest.mark.parametrize("merger", mergers(), ids=repr)
def test_contract(merger: Merger) -> None:
    testing.check_merger(merger)


@pytest.mark.parametrize("merger", mergers(), ids=repr)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (20, 30)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_or_nothing(merger: Merger, size: tuple[int, int], value: float) -> None:
    decision = torch.full((1, *size), value)
    mask = Mask(decision, decision)
    content, stylized = testing.picture(*size, seed=1), testing.picture(*size, seed=2)
    assert torch.equal(merger.paints(mask), decision)
    assert torch.equal(merger.merge(content, stylized, mask), stylized if value else content)


@pytest.mark.parametrize("merger", mergers(), ids=repr)
def test_a_picture_merged_with_itself_is_unchanged(merger: Merger) -> None:
    content = testing.picture(48, 40)
    assert torch.equal(merger.merge(content, content.clone(), testing.disc(48, 40)), content)
