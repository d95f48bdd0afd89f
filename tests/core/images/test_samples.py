"""Samples of 8 and 16 bits: to tensors and back, and from one depth to the other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from instyle_core.images.samples import quantize, squeeze, to_depth, to_tensor

EVERY = {dtype: np.arange(np.iinfo(dtype).max + 1, dtype=dtype) for dtype in (np.uint8, np.uint16)}


@pytest.mark.parametrize("dtype", EVERY)
def test_every_level_comes_back(dtype: type) -> None:
    samples = EVERY[dtype].reshape(16, -1, 1)
    tensor = to_tensor(samples)
    assert (tensor.dtype, tensor.shape) == (torch.float32, (1, *samples.shape[:2]))
    exact = samples[..., 0].astype(np.float64) / np.iinfo(dtype).max
    np.testing.assert_allclose(tensor[0].numpy(), exact, rtol=1e-7)
    assert np.array_equal(quantize(tensor, dtype), samples)


def test_channels_come_first_in_tensors_and_last_in_samples() -> None:
    samples = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    tensor = to_tensor(samples)
    assert tensor.shape == (3, 2, 4)
    assert float(tensor[2, 1, 3]) == pytest.approx(samples[1, 3, 2] / 255)
    assert np.array_equal(quantize(tensor, np.uint8), samples)


def test_what_is_outside_of_0_and_1_is_clamped_and_the_rest_rounded() -> None:
    levels = torch.tensor([-3.0, 0.4, 0.6, 254.4, 254.6, 300.0]) / 255
    assert quantize(levels[None, None], np.uint8).ravel().tolist() == [0, 0, 1, 254, 255, 255]


def test_16_bits_become_the_nearest_of_8() -> None:
    expected = np.floor(EVERY[np.uint16] / 257 + 0.5)
    assert np.array_equal(to_depth(EVERY[np.uint16], np.uint8), expected)


def test_8_bits_become_16_of_the_same_brightness() -> None:
    deep = to_depth(EVERY[np.uint8], np.uint16)
    assert deep.dtype == np.uint16
    np.testing.assert_allclose(deep / 65535, EVERY[np.uint8] / 255, rtol=1e-12)
    assert np.array_equal(to_depth(deep, np.uint8), EVERY[np.uint8])


@pytest.mark.parametrize("dtype", EVERY)
def test_the_same_depth_is_the_same_array(dtype: type) -> None:
    assert to_depth(EVERY[dtype], dtype) is EVERY[dtype]


@pytest.mark.parametrize(("channels", "shape"), [(1, (2, 5)), (3, (2, 5, 3)), (4, (2, 5, 4))])
def test_gray_loses_its_one_channel(channels: int, shape: tuple[int, ...]) -> None:
    samples = np.arange(10 * channels, dtype=np.uint8).reshape(2, 5, channels)
    assert squeeze(samples).shape == shape
    assert np.array_equal(squeeze(samples).ravel(), samples.ravel())
