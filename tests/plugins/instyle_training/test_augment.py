"""Augmentation, by photos whose colors tell where each pixel comes from and what it shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from instyle_training.augment import Augmented, Crops, Shuffled
from instyle_training.recipe import Recipe
from instyle_training.voc import IGNORED
from tests.plugins.instyle_training.small import PLAIN, RICH

CROPS = replace(PLAIN, crop=24)
PADDED = replace(CROPS, small="pad")


class Coordinates(Dataset[tuple[Tensor, Tensor]]):
    """Photos of red `row`, green `column` and blue 200, with labels that follow from these."""

    def __init__(self, *sizes: tuple[int, int]) -> None:
        self._sizes = sizes

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        row, column = torch.meshgrid(*map(torch.arange, self._sizes[index]), indexing="ij")
        photo = torch.stack([row, column, torch.full_like(row, 200)])
        return photo.to(torch.uint8), label(row, column).to(torch.uint8)


def label(row: Tensor, column: Tensor) -> Tensor:
    return (7 * row.long() + 3 * column.long()) % 21


Pair = tuple[Tensor, Tensor]


def augmented(recipe: Recipe, *sizes: tuple[int, int], seed: int = 0) -> Augmented[Pair]:
    return Augmented(Coordinates(*sizes), Crops(recipe), seed)


# --- what is random -------------------------------------------------------------------------------


def test_the_same_seed_epoch_and_photo_give_the_same_crop() -> None:
    recipe = replace(RICH, crop=24)
    once, again = (augmented(recipe, (50, 60), (40, 70)) for _ in range(2))
    for number in (0, 1, 2, 3, 40, 41):
        torch.rand(number + 1)  # whatever was drawn before
        torch.testing.assert_close(once[number], again[number], rtol=0, atol=0)


def test_epochs_seeds_and_photos_differ() -> None:
    """Numbers follow on from epoch to epoch: photo 1 of epoch 2 is 2 * 3 + 1 of 3 photos."""
    photos = augmented(CROPS, *[(90, 110)] * 3)
    other = augmented(CROPS, *[(90, 110)] * 3, seed=1)
    corners = {tuple(photos[number][0][:2, 0, 0].tolist()) for number in range(3 * 5)}
    assert len(corners) >= 14  # of 15
    others = [other[number][0] for number in range(3 * 5)]
    assert sum(torch.equal(photos[n][0], others[n]) for n in range(15)) <= 1


def test_what_others_draw_at_random_does_not_change() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    augmented(replace(RICH, crop=24), (50, 60))[0]
    assert torch.equal(torch.rand(3), expected)


def test_workers_do_not_change_anything() -> None:
    photos = augmented(replace(RICH, crop=24), *[(50, 60), (40, 70)] * 3)
    loads = [list(DataLoader(photos, 2, num_workers=workers)) for workers in (0, 2)]
    torch.testing.assert_close(*loads, rtol=0, atol=0)


# --- what becomes of pixels and labels ------------------------------------------------------------


def test_crops_are_cut_out_of_photos_as_they_are() -> None:
    photos = augmented(CROPS, (50, 60), (24, 24), (24, 90))
    for number in range(30):
        photo, labels = photos[number]
        assert (photo.dtype, photo.shape) == (torch.uint8, (3, 24, 24))
        assert (labels.dtype, labels.shape) == (torch.uint8, (24, 24))
        assert type(photo) is type(labels) is Tensor
        row, column, blue = photo.long()
        assert torch.equal(row, row[0, 0] + torch.arange(24)[:, None].expand(24, 24))
        assert torch.equal(column, column[0, 0] + torch.arange(24).expand(24, 24))
        assert torch.equal(labels, label(row, column))
        assert (blue == 200).all()


def test_every_crop_can_come() -> None:
    photos = augmented(CROPS, (26, 25))
    corners = {tuple(photos[epoch][0][:2, 0, 0].tolist()) for epoch in range(60)}
    assert corners == {(row, column) for row in range(3) for column in range(2)}


def test_every_second_photo_is_mirrored_with_its_labels() -> None:
    photos = augmented(replace(CROPS, flip=True), (50, 60))
    mirrored = 0
    for epoch in range(100):
        photo, labels = photos[epoch]
        row, column, _ = photo.long()
        step = int(column[0, 1] - column[0, 0])
        assert torch.equal(column, column[0, 0] + step * torch.arange(24).expand(24, 24))
        assert torch.equal(labels, label(row, column))
        mirrored += step == -1
    assert 35 <= mirrored <= 65


@pytest.mark.parametrize("size", [(10, 60), (60, 10), (10, 15), (24, 23), (1, 1)], ids=str)
def test_pixels_that_are_added_have_no_label(size: tuple[int, int]) -> None:
    photos = augmented(PADDED, size)
    for epoch in range(10):
        photo, labels = photos[epoch]
        assert photo.shape == (3, 24, 24)
        row, column, blue = photo.long()
        added = blue != 200
        assert torch.equal(labels == IGNORED, added)
        assert torch.equal(labels[~added], label(row, column)[~added])
        # What there is of the photo along a side that is too short is all there.
        assert int((~added).sum()) == min(size[0], 24) * min(size[1], 24)
        assert (photo[:, added].float().std(dim=1) == 0).all() if added.sum() > 1 else True


def test_photos_can_be_put_anywhere_in_a_crop() -> None:
    photos = augmented(PADDED, (22, 24))
    first = {int((photos[epoch][1][:, 0] != IGNORED).nonzero()[0]) for epoch in range(30)}
    assert first == {0, 1, 2}


class Ramps(Dataset[tuple[Tensor, Tensor]]):
    """Photos of red 2 `row` and green 2 `column`, with the label `column // 8`."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, _: int) -> tuple[Tensor, Tensor]:
        row, column = torch.meshgrid(torch.arange(96), torch.arange(120), indexing="ij")
        photo = torch.stack([2 * row, 2 * column, torch.zeros_like(row)])
        return photo.to(torch.uint8), (column // 8).to(torch.uint8)


def test_scales_are_drawn_evenly_on_a_logarithmic_scale() -> None:
    photos = Augmented(Ramps(), Crops(replace(CROPS, scale=(0.5, 2.0), crop=40)), seed=0)
    factors = []
    for epoch in range(200):
        photo, labels = photos[epoch]
        down, right = (float(photo[c, -5, -5]) - float(photo[c, 4, 4]) for c in (0, 1))
        factors.append(2 * 31 / right)
        assert down == pytest.approx(right, abs=3)  # both sides by the same factor
        # Labels are moved as pixels are, to the nearest one.
        away = (photo[1].float() / 2 - (8 * labels + 3.5)).abs()
        assert away.max() < 4 + 1.5 / min(1, factors[-1])
    logarithms = np.log2(factors)
    assert (abs(logarithms) < 1.06).all()
    counts, _ = np.histogram(logarithms.clip(-1, 1), bins=4, range=(-1, 1))
    assert (abs(counts - 50) < 20).all()  # three standard deviations


def test_colors_change_labels_and_crops_do_not() -> None:
    plain = augmented(replace(CROPS, flip=True), (50, 60))
    tinted = augmented(replace(CROPS, flip=True, color=0.3), (50, 60))
    differences = []
    for epoch in range(20):
        (before, labels), (after, same) = plain[epoch], tinted[epoch]
        assert torch.equal(labels, same)
        differences.append(float((before.float() - after.float()).abs().mean()))
    assert sum(difference > 2 for difference in differences) >= 18
    assert max(differences) < 100


def test_an_item_of_ones_own() -> None:
    """Whatever is made of a photo is drawn with the seed of its epoch and number."""

    def drawn(photo: Tensor, mask: Tensor) -> tuple[int, float]:
        return photo.shape[1], float(torch.rand(()))

    def photos(seed: int) -> Augmented[tuple[int, float]]:
        return Augmented(Coordinates((5, 6), (7, 8)), drawn, seed)

    items = [photos(0)[number] for number in range(6)]
    assert [photos(0)[number] for number in (5, 0, 3, 2, 1, 4)] == [
        items[number] for number in (5, 0, 3, 2, 1, 4)
    ]
    assert [height for height, _ in items] == [5, 7] * 3
    assert len({draw for _, draw in items} | {photos(1)[n][1] for n in range(6)}) == 12


# --- the order ------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(
    count=st.integers(1, 40),
    world=st.integers(1, 5),
    epoch=st.integers(0, 9),
    seed=st.integers(0, 99),
)
def test_processes_share_the_photos(count: int, world: int, epoch: int, seed: int) -> None:
    photos = Coordinates(*[(1, 1)] * count)
    orders = [[*Shuffled(photos, seed, world, rank, lambda: epoch)] for rank in range(world)]
    if count >= world:
        assert {len(order) for order in orders} == {count // world}
    numbers = [number for order in orders for number in order]
    if count >= world:
        assert len({*numbers}) == len(numbers)  # none twice
    assert all(epoch * count <= number < (epoch + 1) * count for number in numbers)


def test_another_order_each_epoch_and_for_each_seed() -> None:
    photos = Coordinates(*[(1, 1)] * 20)
    epoch = 0
    order = Shuffled(photos, 0, 1, 0, lambda: epoch)
    first, again = [*order], [*order]
    order.set_epoch(7)  # what Lightning says does not count
    assert first == again == [*order]
    assert sorted(first) == [*range(20)] != first
    epoch = 1
    second = [*order]
    assert sorted(second) == [*range(20, 40)]
    assert [number - 20 for number in second] != first
    assert [*Shuffled(photos, 1, 1, 0, lambda: 0)] != first
