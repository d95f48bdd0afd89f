from __future__ import annotations

import judge
import numpy as np
import pytest
import torch
from torch import Tensor

RANDOM = torch.Generator().manual_seed(0)


def samples(count: int, channels: int) -> Tensor:
    return torch.randn(count, channels, generator=RANDOM)


def distance(first: Tensor, second: Tensor) -> float:
    turns = judge.directions(first.shape[1], 96)
    projected = (judge.quantiles(values @ turns) for values in (first, second))
    return judge.distance(*projected, first.shape[1])


def inside(size: int = 64) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[4:-4, 4:-4] = True
    return mask


def test_directions_are_orthonormal_bases() -> None:
    turns = judge.directions(8, 24)
    assert torch.allclose(turns @ turns.T, 3 * torch.eye(8), atol=1e-5)


def test_the_distance_of_shifted_samples_is_the_length_of_the_shift() -> None:
    values, shift = samples(2000, 3), torch.tensor([3.0, 4.0, 0.0])
    assert distance(values, values + shift) == pytest.approx(5, rel=1e-4)


def test_the_order_of_samples_does_not_count() -> None:
    values = samples(500, 16)
    assert distance(values, values[torch.randperm(500, generator=RANDOM)]) < 1e-5


def test_the_distance_of_two_spreads_is_that_of_normal_distributions() -> None:
    # In one dimension it is the difference of the standard deviations; here along each direction.
    expected = (3 * 1.0**2) ** 0.5
    found = distance(samples(20_000, 3), 2 * samples(20_000, 3))
    assert found == pytest.approx(expected, rel=0.03)


def test_other_numbers_of_samples_are_compared_by_quantiles() -> None:
    assert distance(samples(20_000, 3), samples(9_000, 3)) < 0.05


def test_content_is_0_for_the_same_features_at_any_scale() -> None:
    features = samples(50, 8).abs()
    assert judge.content_distance(features, 3 * features) < 1e-6
    assert judge.content_distance(features, samples(50, 8).abs()) > 0.1


def test_the_grain_of_noise_is_what_the_blur_takes_from_it() -> None:
    gray = 0.5 + 0.05 * torch.randn(1, 256, 256, generator=RANDOM)
    expected = 0.05**2 * (1 - 2 * 4 / 16 + 36 / 256)
    found = judge.grain(gray.expand(3, -1, -1), np.ones((256, 256), bool))
    assert found == pytest.approx(expected, rel=0.03)


def test_cells_are_drawn_in_but_not_away() -> None:
    mask = inside(64)
    assert int(judge.cells(mask, 8, 0).sum()) == 8 * 8 - 4  # the corners lie in it by a quarter
    assert int(judge.cells(mask, 4, 12).sum()) == 8 * 8
    thin = np.zeros((64, 64), bool)
    thin[30:32] = True
    assert judge.cells(thin, 8, 12, fewest=4).any()


def disc(color: tuple[float, float, float], radius: int) -> Tensor:
    y, x = np.mgrid[:64, :64] - 32
    picture = torch.full((3, 64, 64), 0.5)
    picture[:, torch.from_numpy(y**2 + x**2 < radius**2)] = torch.tensor(color)[:, None]
    return picture


def test_a_disc_of_a_color_that_the_painting_does_not_have_is_a_blotch() -> None:
    gray, blue = torch.full((3, 64, 64), 0.5), disc((0.1, 0.2, 0.9), 10)
    found = judge.blotched(gray, gray, blue, inside())
    assert found.sum() == pytest.approx(np.pi * 10**2, rel=0.15)


def test_a_disc_that_alone_is_painted_is_a_blotch_in_the_colors_of_the_painting_too() -> None:
    gray, orange = torch.full((3, 64, 64), 0.5), disc((0.9, 0.5, 0.1), 10)
    painting = torch.tensor([0.9, 0.5, 0.1])[:, None, None].expand(3, 64, 64)
    assert judge.blotched(gray, painting, orange, inside()).any()
    assert not judge.blotched(gray, painting, painting, inside()).any()


def test_what_the_photo_has_is_no_blotch() -> None:
    gray, blue = torch.full((3, 64, 64), 0.5), disc((0.1, 0.2, 0.9), 10)
    assert not judge.blotched(blue, gray, blue, inside()).any()


def test_edges_of_the_photo_are_kept_whole() -> None:
    picture = torch.rand(3, 64, 64, generator=RANDOM)
    assert judge.edges_kept(picture, picture, inside()) == pytest.approx(1)
    assert judge.edges_kept(picture, 1 - picture, inside()) == pytest.approx(-1)
