"""Which cells are drawn, directions, and the sliced distance against SciPy and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance
from torch import Tensor

from instyle_core import LossParams, Targets, testing
from instyle_losses.params import TransportParams
from instyle_losses.vectors import (
    Cells,
    even_cells,
    random_directions,
    sliced_distance,
    spread,
    style_cells,
    style_vectors,
)


def any_view() -> testing.PictureView:
    """Random numbers are all that is asked of it."""
    image = torch.zeros(3, 2, 2)
    return testing.view(image, image[:1], LossParams())


def points(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def as_set(cells: Tensor) -> set[tuple[int, ...]]:
    return set(map(tuple, cells.tolist()))


# --- cells of an object ---------------------------------------------------------------------------


@given(count=st.integers(1, 300), more=st.integers(0, 1000), seed=st.integers(0, 99))
@settings(deadline=None, derandomize=True)
def test_one_out_of_each_of_equal_shares(count: int, more: int, seed: int) -> None:
    """A share may end within a cell; its neighbor begins there."""
    total = count + more
    torch.manual_seed(seed)
    indices = spread(any_view(), count, total).tolist()
    assert len(indices) == count
    for share, index in enumerate(indices):
        assert share * total // count <= index < -(-(share + 1) * total // count)


@pytest.mark.parametrize("total", [1, 7, 4096, 4097, 65536])
def test_all_of_them_are_each_of_them_once(total: int) -> None:
    assert spread(any_view(), total, total).tolist() == list(range(total))


class Highest:
    """A view whose random numbers are as near to 1 as they get."""

    def random(self, *size: int) -> Tensor:
        return torch.full(size, 1 - 2.0**-24)


@pytest.mark.parametrize(("count", "total"), [(4097, 4097), (65536, 65536), (1000, 9_999_999)])
def test_rounding_does_not_leave_a_share(count: int, total: int) -> None:
    indices = spread(Highest(), count, total)  # type: ignore[arg-type]
    ends = (torch.arange(1, count + 1) * total + count - 1) // count
    assert bool((indices < ends).all())
    assert int(indices[-1]) == total - 1


def test_all_cells_are_drawn_as_often() -> None:
    """40 of 60, 3000 times: how often each is drawn varies as that of a binomial at the most."""
    view, draws = any_view(), 3000
    counts = torch.zeros(60)
    for _ in range(draws):
        drawn = spread(view, 40, 60)
        counts += torch.bincount(drawn, minlength=60)
    error = (draws * 40 / 60) ** 0.5
    assert float((counts - draws * 40 / 60).abs().max()) < 5 * error
    assert float(counts.std()) > 1  # or nothing was random


def test_only_cells_of_the_object() -> None:
    mask = testing.disc(20, 30).decision[None]
    inside = as_set(mask[0, 0].nonzero())
    cells, view = Cells(mask, 50), any_view()
    one, other = cells.draw(view), cells.draw(view)
    assert one.shape == (50, 2)
    assert len(as_set(one)) > 40  # neighbors may both draw the cell that their shares end in
    assert as_set(one) <= inside
    assert as_set(one) != as_set(other)
    assert cells.weight == 1
    assert as_set(Cells(mask, len(inside)).draw(view)) == inside
    every = Cells(mask, 10_000).draw(view)
    assert len(every) == len(inside)
    assert as_set(every) == inside


def test_half_a_cell_is_enough() -> None:
    mask = torch.tensor([[0.49, 0.5, 1.0], [0.0, 0.51, 0.1]])[None, None]
    assert as_set(Cells(mask, 9).draw(any_view())) == {(0, 1), (0, 2), (1, 1)}


def test_an_object_of_less_than_half_a_cell() -> None:
    mask = torch.zeros(1, 1, 5, 7)
    mask[0, 0, 3, 4], mask[0, 0, 3, 5] = 0.01, 0.4
    cells = Cells(mask, 9)
    assert as_set(cells.draw(any_view())) == {(3, 4), (3, 5)}
    assert cells.weight == 1


def test_no_object_has_no_weight() -> None:
    cells = Cells(torch.zeros(1, 1, 5, 7), 9)
    assert cells.weight == 0
    assert len(cells.draw(any_view())) == 9


# --- cells of styles ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 64), (40, 90), (100, 30)])
@pytest.mark.parametrize("count", [64, 300, 1024])
def test_even_cells_cover_a_map_evenly(size: tuple[int, int], count: int) -> None:
    """Random ones would be off by sqrt(count * 3 / 16) in a quadrant; these by a few at most."""
    height, width = size
    cells = even_cells(torch.ones(1, 1, height, width), count)
    assert cells.shape == (count, 2)
    assert cells.dtype == torch.int64
    assert int(cells.min()) >= 0
    assert bool((cells < torch.tensor(size)).all())
    lower, right = cells[:, 0] >= height // 2, cells[:, 1] >= width // 2
    quadrants = torch.bincount(2 * lower.long() + right.long(), minlength=4)
    assert float((quadrants - count / 4).abs().max()) <= 4


@pytest.mark.parametrize("count", [35, 36, 1000])
def test_a_map_of_few_cells_gives_each_of_them_once(count: int) -> None:
    cells = even_cells(torch.ones(1, 1, 5, 7), count)
    assert len(cells) == 35
    assert as_set(cells) == {(row, column) for row in range(5) for column in range(7)}


@pytest.mark.parametrize(
    ("sizes", "weights", "count", "expected"),
    [
        ([(64, 64)], [1.0], 100, [100]),
        ([(4, 4)], [1.0], 100, [16]),
        ([(64, 64), (40, 40)], [0.75, 0.25], 100, [75, 25]),
        ([(8, 8), (8, 8)], [0.75, 0.25], 1000, [64, 21]),  # 64 is all that the first one has
        ([(8, 8), (64, 64)], [0.5, 0.5], 1000, [64, 64]),
        ([(8, 8), (64, 64)], [0.0, 1.0], 1000, [0, 1000]),
        ([(8, 8)] * 40, [1 / 40] * 40, 16, [1] * 40),
        ([(64, 64), (64, 64)], [0.999, 0.001], 100, [100, 1]),
    ],
)
def test_styles_have_as_many_cells_as_they_weigh(
    sizes: list[tuple[int, int]], weights: list[float], count: int, expected: list[int]
) -> None:
    masks = [torch.ones(1, 1, *size) for size in sizes]
    cells = style_cells(masks, weights, count)
    assert [len(own) for own in cells] == expected
    for own, size in zip(cells, sizes, strict=True):
        assert bool((own < torch.tensor(size)).all())


def test_vectors_of_styles_are_those_of_their_maps() -> None:
    params = TransportParams(layers=("a", "b"), samples=16)
    images = [testing.picture(32, 40, seed=seed).double() for seed in (1, 2)]
    views = [testing.view(image, torch.ones_like(image[:1]), params) for image in images]
    targets = Targets(views[0], tuple(views), (0.25, 0.75))
    found = style_vectors(targets, params)
    for vectors, layer in zip(found, params.layers, strict=True):
        assert vectors.shape == (16, 6)
        for own, view in ((vectors[:4], views[0]), (vectors[4:], views[1])):
            maps = view.features("vgg19", layer)[0].flatten(1).T
            is_same = (own[:, None] == maps[None]).all(dim=2)
            assert is_same.sum(dim=1).tolist() == [1] * len(own)
            assert is_same.any(dim=0).sum() == len(own)


# --- directions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 3, 64])
def test_directions_are_even_over_the_sphere(size: int) -> None:
    """Of components, the mean is 0, the mean square 1 / d and that of products 0."""
    count = 20_000
    directions = random_directions(any_view(), count, size).double()
    assert directions.shape == (count, size)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(count, dtype=torch.float64))
    # Variances: of a component 1 / d, of its square 2 (d - 1) / (d² (d + 2)), of a product
    # 1 / (d (d + 2)).
    error = (1 / size / count) ** 0.5
    assert float(directions.mean(dim=0).abs().max()) < 5 * error
    second = directions.T @ directions / count
    square = (2 * (size - 1) / size**2 / (size + 2) / count) ** 0.5
    product = (1 / size / (size + 2) / count) ** 0.5
    assert float((second.diagonal() - 1 / size).abs().max()) < 5 * square
    assert float((second - second.diagonal().diag()).abs().max()) < 5 * product


def test_directions_are_drawn_anew() -> None:
    view = any_view()
    assert not torch.equal(*(random_directions(view, 4, 3) for _ in range(2)))


# --- the distance ---------------------------------------------------------------------------------


def test_distances_are_those_of_scipy() -> None:
    ours, theirs = points(40, 5, seed=1), 2 * points(40, 5, seed=2) + 1
    directions = random_directions(any_view(), 7, 5).double()
    expected = [
        wasserstein_distance(ours.numpy() @ way, theirs.numpy() @ way) for way in directions.numpy()
    ]
    assert float(sliced_distance(ours, theirs, directions)) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(("n", "m"), [(40, 13), (13, 40), (1, 9), (9, 1), (16, 64)])
def test_unequal_sizes_are_compared_by_quantiles(n: int, m: int) -> None:
    ours, theirs = points(n, 4, seed=1), points(m, 4, seed=2)
    directions = random_directions(any_view(), 5, 4).double()
    places = (np.arange(n) + 0.5) / n
    errors = []
    for way in directions.numpy():
        wanted = np.quantile(theirs.numpy() @ way, places, method="hazen")
        errors.append(np.abs(np.sort(ours.numpy() @ way) - wanted).mean())
    distance = sliced_distance(ours, theirs, directions)
    assert float(distance) == pytest.approx(np.mean(errors))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(n=st.integers(1, 30), m=st.integers(1, 30), size=st.integers(1, 6), seed=st.integers(0, 999))
def test_order_does_not_matter(n: int, m: int, size: int, seed: int) -> None:
    ours, theirs, directions = (
        points(count, size, seed=3 * seed + index) for index, count in enumerate((n, m, 4))
    )
    random = np.random.default_rng(seed)
    distance = float(sliced_distance(ours, theirs, directions))
    mixed = (ours[random.permutation(n)], theirs[random.permutation(m)])
    assert float(sliced_distance(*mixed, directions)) == pytest.approx(distance, abs=1e-12)
    assert float(sliced_distance(ours, ours[random.permutation(n)], directions)) < 1e-12
    assert distance > 0


@settings(max_examples=50, deadline=None, derandomize=True)
@given(n=st.integers(1, 30), seed=st.integers(0, 999), by=st.floats(-10, 10))
def test_a_shift_is_as_far_as_it_goes_along_each_direction(n: int, seed: int, by: float) -> None:
    ours, directions, shift = points(n, 3, seed=seed), points(5, 3, seed=1), by * points(3, seed=2)
    expected = (directions @ shift).abs().mean()
    distance = sliced_distance(ours + shift, ours, directions)
    torch.testing.assert_close(distance, expected, rtol=1e-9, atol=1e-12)


def test_the_gradient_of_the_distance() -> None:
    ours, theirs, directions = points(9, 3, seed=1), points(6, 3, seed=2), points(4, 3, seed=3)
    assert torch.autograd.gradcheck(
        lambda x: sliced_distance(x, theirs, directions), ours.requires_grad_()
    )
