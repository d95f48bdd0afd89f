"""Training examples: what is in them is what is in the photo, and clicks are where they should."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from instyle_click import simulation
from instyle_click.clicks import Clicks
from instyle_click.objects import regions
from instyle_click.recipes import RECIPE
from instyle_click.simulation import Example, example
from tests.plugins.instyle_training.shapes import CAT, DOG, IGNORED, scene

SMALL = replace(RECIPE, crop=64, color=0.0)


def drawn_examples(
    photo: NDArray[Any], mask: NDArray[Any], count: int, **changes: Any
) -> Iterator[Example]:
    for seed in range(count):
        torch.manual_seed(seed)
        recipe = replace(SMALL, **changes)
        yield example(photo, mask, recipe, np.random.default_rng(seed))


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colors stay as they are."""
    monkeypatch.setattr(
        simulation, "_recolored", lambda crop, _: torch.from_numpy(crop).permute(2, 0, 1)
    )


@pytest.fixture
def clicked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[NDArray[Any], Clicks, bool]]:
    """The first clicks that are drawn, with what they are drawn for."""
    seen: list[tuple[NDArray[Any], Clicks, bool]] = []
    first = simulation._first_clicks

    def watched(labels: NDArray[Any], draw: Any, *, is_part: bool) -> Clicks:
        clicks = first(labels, draw, is_part=is_part)
        seen.append((labels, clicks, is_part))
        return clicks

    monkeypatch.setattr(simulation, "_first_clicks", watched)
    return seen


def test_types() -> None:
    for photo, seen, maps in drawn_examples(*scene(0, 96, 128), 10, color=0.4):
        assert (photo.dtype, photo.shape) == (torch.uint8, (3, 64, 64))
        assert (seen.dtype, seen.shape) == (torch.uint8, (64, 64))
        assert (maps.dtype, maps.shape) == (torch.float32, (3, 64, 64))
        assert set(seen.unique().tolist()) <= {0, 1, IGNORED}
        assert set(maps.unique().tolist()) <= {0, 1}
        assert min((seen == 1).sum(), (seen == 0).sum()) >= 60
        assert maps.any()


def test_it_depends_on_the_seeds_alone() -> None:
    for one, other in zip(
        *(drawn_examples(*scene(0), 5, color=0.4) for _ in range(2)), strict=True
    ):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    first, second, *_ = drawn_examples(*scene(0), 2)
    assert not torch.equal(first[0], second[0])


@pytest.mark.usefixtures("plain")
def test_photo_and_object_go_together() -> None:
    """The red square and the green disc are where their labels are, however they are turned."""
    photo, mask = scene(3, 192, 256)
    whole = {CAT: 0, DOG: 0}
    for crop, seen, _ in drawn_examples(photo, mask, 60):
        red, green, blue = crop.int()
        inside = seen == 1
        cat, dog = (red > green + 60) & (red > blue), (green > red + 60) & (green > blue)
        # Samples along edges mix colors, and the photo has noise.
        assert ((cat | dog)[inside]).float().mean() > 0.97
        outside = seen == 0
        for label, animal in ((CAT, cat), (DOG, dog)):
            if (animal & inside).sum() > 0.5 * animal.sum() > 30:
                whole[label] += 1
        assert ((blue > red) & (blue > green))[outside].float().mean() > 0.2
    assert min(whole.values()) > 5  # both are chosen


@pytest.mark.usefixtures("plain")
def test_beyond_the_photo_nothing_counts() -> None:
    """A photo without an unlabeled pixel: what is, lies beyond."""
    photo, mask = scene(0)
    mask[mask == IGNORED] = 0
    photo = np.where(photo > 0, photo, 1)
    beyond = [
        float((seen == IGNORED).float().mean()) for _, seen, _ in drawn_examples(photo, mask, 40)
    ]
    assert min(beyond) == 0
    assert 0.02 < max(beyond) < 0.6


def test_mirrored_or_not() -> None:
    """An object at the left of a large crop comes to the right only where photos are mirrored."""
    mask = np.zeros((200, 200), np.uint8)
    mask[20:180, 20:60] = CAT
    mask[20:60, 20:150] = CAT  # an L, upside down
    photo = np.full((200, 200, 3), 90, np.uint8)

    def leans_right(seen: torch.Tensor) -> bool:
        x = torch.nonzero(seen == 1)[:, 1].float()
        return bool(x.mean() > (x.min() + x.max()) / 2)

    sides = {
        flip: [leans_right(seen) for _, seen, _ in drawn_examples(photo, mask, 60, flip=flip)]
        for flip in (True, False)
    }
    assert 15 < sum(sides[True]) < 45
    assert sum(sides[False]) < 12  # parts of the object


def test_unlike_objects_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """One region, all of its class, two, or a part of one; larger ones more often."""
    mask = np.zeros((100, 100), np.uint8)
    mask[5:45, 5:45] = CAT
    mask[5:45, 55:95] = CAT
    mask[60:90, 20:80] = DOG
    there, draw = regions(mask), np.random.default_rng(0)
    cats, whole = mask == CAT, [region.inside for region in there]
    kinds = {"one": 0, "cats": 0, "two": 0, "part": 0}
    for _ in range(600):
        inside, is_part = simulation._object(there, draw)
        if is_part:
            (around,) = [region for region in whole if (inside & region).any()]
            assert 0.2 < inside.sum() / around.sum() < 0.8
            assert not (inside & ~around).any()
            kinds["part"] += 1
        elif any(np.array_equal(inside, region) for region in whole):
            kinds["one"] += 1
        elif np.array_equal(inside, cats):
            kinds["cats"] += 1
        else:
            assert (inside & (mask == DOG)).sum() == 1800
            assert (inside & cats).sum() == 1600
            kinds["two"] += 1
    assert kinds["one"] > 400
    assert all(10 < kinds[kind] < 100 for kind in ("cats", "two", "part"))


# --- photos without objects -----------------------------------------------------------------------


@pytest.mark.parametrize("label", [0, IGNORED])
def test_nothing_counts_where_there_is_no_object(label: int) -> None:
    photo, _ = scene(0)
    mask = np.full(photo.shape[:2], label, np.uint8)
    for crop, seen, maps in drawn_examples(photo, mask, 5):
        assert crop.shape == (3, 64, 64)
        assert (seen == IGNORED).all()
        assert not maps.any()


def test_nothing_counts_where_there_is_no_background() -> None:
    photo, _ = scene(0)
    for _, seen, maps in drawn_examples(photo, np.full(photo.shape[:2], CAT, np.uint8), 5):
        if (seen == 1).any():  # a part has the rest as its background
            assert (seen == 0).sum() >= 60
        else:
            assert (seen == IGNORED).all()
            assert not maps.any()


# --- the first clicks -----------------------------------------------------------------------------


def test_clicks_are_where_they_should(
    clicked: list[tuple[NDArray[Any], Clicks, bool]],
) -> None:
    photo, mask = scene(0, 96, 128)
    for _, seen, maps in drawn_examples(photo, mask, 150):
        labels, clicks, _ = clicked[-1]
        assert np.array_equal(labels, seen)
        assert all(seen[y, x] == 1 and maps[0, y, x] == 1 for x, y in clicks.on)
        assert all(seen[y, x] == 0 and maps[1, y, x] == 1 for x, y in clicks.off)
        assert clicks.on or clicks.box
    given = [clicks for *_, clicks, _ in clicked]
    boxes = [clicks for clicks in given if clicks.box]
    assert 10 < len(boxes) < 50
    assert any(clicks.on for clicks in boxes)
    assert any(not clicks.on for clicks in boxes)
    assert {len(clicks.on) for clicks in given} >= {0, 1, 2, 3}
    assert {len(clicks.off) for clicks in given} >= {0, 1, 2}
    parts = [clicks for _, clicks, is_part in clicked if is_part]
    assert parts
    assert all(len(clicks.on) >= 2 and clicks.off and not clicks.box for clicks in parts)


def test_boxes_are_off_by_a_tenth_at_most() -> None:
    inside = np.zeros((100, 120), bool)
    inside[30:70, 20:100] = True
    draw, seen = np.random.default_rng(0), set()
    for _ in range(200):
        x0, y0, x1, y1 = simulation._box(inside, draw)
        assert 20 - 8 <= x0 <= 20 + 4
        assert 100 - 4 <= x1 <= 100 + 8
        assert 30 - 4 <= y0 <= 30 + 2
        assert 70 - 2 <= y1 <= 70 + 4
        seen.add((x0, y0, x1, y1))
    assert len(seen) > 100
    thin = np.zeros((9, 9), bool)
    thin[4, 4] = True
    x0, y0, x1, y1 = simulation._box(thin, draw)
    assert x0 <= 4 < x1
    assert y0 <= 4 < y1
