"""All objects of a photo: which masks are left, by brute force."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from instyle_sam.everything import BATCH, everything
from tests.plugins.instyle_sam.fakes import RADII, SCORES, FakeSam


def find(
    fake: Any, size: tuple[int, int], grid: int, threshold: float = 0.88, most: int = 999
) -> Any:
    seen = fake.see(torch.zeros(3, *size))
    return list(everything(fake, seen, grid, threshold, most))


def box(mask: Tensor) -> tuple[int, int, int, int]:
    ys, xs = torch.nonzero(mask[0] >= 0.5, as_tuple=True)
    return int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())


def iou(one: Any, other: Any) -> float:
    """Of two boxes, whose sides are those of torchvision: the last pixel minus the first."""
    width = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (one, other)]
    return width * height / (sum(areas) - width * height)


def test_every_point_of_the_grid_is_asked_once() -> None:
    fake = FakeSam()
    find(fake, (60, 90), 5)
    points = torch.cat([asked["points"][:, 0] for asked in fake.asked]).tolist()
    expected = [(90 * (i + 0.5) / 5, 60 * (j + 0.5) / 5) for i in range(5) for j in range(5)]
    assert sorted((round(x, 3), round(y, 3)) for x, y in points) == expected
    assert max(len(asked["points"]) for asked in fake.asked) <= BATCH
    assert all(asked["several"] for asked in fake.asked)
    assert all(bool((asked["labels"] == 1).all()) for asked in fake.asked)


def test_of_masks_that_overlap_the_surest_is_left() -> None:
    """By a second implementation of the suppression, over all masks of all points."""
    fake = FakeSam()
    found = find(fake, (48, 64), 6)
    candidates = []
    for asked in fake.asked:
        logits, scores = FakeSam().masks(fake.see(torch.zeros(3, 48, 64)), asked["points"], None)
        candidates += [
            (float(score), box(mask[None].sigmoid()))
            for masks, row in zip(logits, scores, strict=True)
            for mask, score in zip(masks, row, strict=True)
        ]
    left: list[tuple[float, Any]] = []
    for candidate in sorted(candidates, key=lambda pair: -pair[0]):
        if all(iou(candidate[1], other[1]) <= 0.7 for other in left):
            left.append(candidate)
    assert [score for _, score in found] == pytest.approx([score for score, _ in left])
    assert sorted(box(mask) for mask, _ in found) == sorted(place for _, place in left)
    assert 36 < len(found) < 108  # some of the large ones are too like one another


def test_masks_are_whole_and_the_surest_come_first() -> None:
    found = find(FakeSam(), (100, 100), 2)
    assert len(found) == 12
    scores = [score for _, score in found]
    assert scores == pytest.approx(sorted(SCORES * 4, reverse=True))
    for mask, score in found:
        radius = RADII[[round(each, 3) for each in SCORES].index(round(score, 3))]
        assert float((mask >= 0.5).sum()) == pytest.approx(torch.pi * radius**2, rel=0.1)


def test_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more than these are enlarged, which takes the memory."""
    fake, enlarged = FakeSam(), []
    original = fake.enlarged
    monkeypatch.setattr(fake, "enlarged", lambda *a: enlarged.append(1) or original(*a))
    found = find(fake, (100, 100), 2, most=3)
    assert [score for _, score in found] == pytest.approx([0.97] * 3)
    assert len(enlarged) == 3


def test_masks_that_little_is_expected_of_are_left_out() -> None:
    assert len(find(FakeSam(), (100, 100), 2, threshold=0.93)) == 8
    assert len(find(FakeSam(), (100, 100), 2, threshold=0.98)) == 0


def test_unstable_masks_are_left_out() -> None:
    assert len(find(FakeSam(unsure=50), (100, 100), 2)) == 6
    assert find(FakeSam(unsure=100), (100, 100), 2) == []


def test_empty_masks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeSam()
    monkeypatch.setattr("tests.plugins.instyle_sam.fakes.RADII", (-1.0, 0.5, 16.0))
    original = fake.masks

    def masks(*args: Any, **kwargs: Any) -> Any:
        logits, scores = original(*args, **kwargs)
        return torch.where(torch.tensor([True, False, False])[:, None, None], -20.0, logits), scores

    monkeypatch.setattr(fake, "masks", masks)
    assert all(score != pytest.approx(SCORES[0]) for _, score in find(fake, (100, 100), 2))
