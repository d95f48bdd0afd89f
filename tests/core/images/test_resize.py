"""Pictures at another size, against Pillow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from instyle_core.images.resize import resample, resize


def test_the_same_size_is_the_same_tensor() -> None:
    image = torch.rand(3, 4, 5)
    assert resize(image, (4, 5)) is image


@pytest.mark.parametrize("size", [(5, 6), (31, 17), (1, 1)])
def test_resize_is_antialiased_bicubic(size: tuple[int, int]) -> None:
    image = torch.rand(3, 20, 24, generator=torch.Generator().manual_seed(0))
    got = resize(image, size)
    assert got.shape == (3, *size)
    for plane, source in zip(got, image, strict=True):
        floats = Image.fromarray(source.numpy())
        want = np.asarray(floats.resize(size[::-1], Image.Resampling.BICUBIC)).clip(0, 1)
        assert np.allclose(plane.numpy(), want, atol=1e-5)


def test_resize_stays_in_range_at_hard_edges() -> None:
    edge = torch.zeros(1, 8, 8)
    edge[:, :, 4:] = 1
    got = resize(edge, (32, 32))
    assert got.min() >= 0
    assert got.max() <= 1


def test_resampling_alone_may_overshoot() -> None:
    """Values of any range, such as differences of pictures, must not be cut off."""
    edge = torch.zeros(1, 8, 8)
    edge[:, :, 4:] = 1
    larger = resample(edge, (32, 32))
    assert larger.min() < 0
    assert larger.max() > 1
    torch.testing.assert_close(resample(5 * edge - 2, (32, 32)), 5 * larger - 2)


@pytest.mark.parametrize("size", [(5, 1), (40, 1), (1, 6), (1, 50)])
@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
def test_pictures_of_one_column_or_row(size: tuple[int, int], mode: str) -> None:
    image = torch.rand(2, 20, 24, generator=torch.Generator().manual_seed(0))
    got = resample(image, size, mode)
    pillows = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
    for plane, source in zip(got, image, strict=True):
        want = np.asarray(Image.fromarray(source.numpy()).resize(size[::-1], pillows[mode]))
        np.testing.assert_allclose(plane.numpy(), want, atol=1e-5)
