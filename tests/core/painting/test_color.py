"""Whose colors an object has, against closed forms, numpy and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2yiq
from torch import Tensor

from instyle_core.config.spec import Color
from instyle_core.painting.color import Palette, luminance
from instyle_core.testing import disc, picture

CONTENT = 0.3 + 0.4 * picture(30, 40, seed=1)  # far enough from 0 and 1 that nothing is cut off
STYLE = 0.3 + 0.4 * picture(24, 24, seed=2)
MASK = disc(30, 40).decision
EVERYWHERE = torch.ones_like(MASK)


def palette(of: str, by: str = "luminance", mask: Tensor = MASK) -> Palette:
    return Palette(Color.model_validate({"of": of, "by": by}), CONTENT, mask)


def yiq(image: Tensor) -> np.ndarray:
    return np.moveaxis(rgb2yiq(np.moveaxis(image.numpy(), 0, -1)), -1, 0)


def inside(mask: Tensor) -> np.ndarray:
    return CONTENT[:, mask[0] > 0].numpy()


def test_the_colors_of_the_style_are_left_alone() -> None:
    kept = palette("style")
    assert kept.style(STYLE) is STYLE
    assert kept.seen(CONTENT) is CONTENT
    assert kept.painted(CONTENT, STYLE) is CONTENT


def test_luminance_is_that_of_scikit_image() -> None:
    np.testing.assert_allclose(luminance(CONTENT).numpy(), yiq(CONTENT)[:1], atol=1e-6)


@pytest.mark.parametrize("mask", [MASK, EVERYWHERE])
def test_a_matched_style_has_mean_and_covariance_of_the_object(mask: Tensor) -> None:
    matched = palette("content", "histogram", mask).style(STYLE).flatten(1).numpy()
    wanted = inside(mask)
    np.testing.assert_allclose(matched.mean(axis=1), wanted.mean(axis=1), atol=2e-3)
    np.testing.assert_allclose(np.cov(matched), np.cov(wanted), atol=2e-4)


def test_matching_goes_the_shortest_way() -> None:
    """Of all linear maps between two covariances, the symmetric roots leave a picture that already
    fits alone, for any order of the channels; Cholesky's does not commute with their order."""
    kept = palette("content", "histogram", EVERYWHERE)
    torch.testing.assert_close(kept.style(CONTENT), CONTENT, atol=1e-4, rtol=0)
    turned = Palette(Color(of="content", by="histogram"), CONTENT.flip(0), EVERYWHERE)
    torch.testing.assert_close(turned.style(STYLE.flip(0)), kept.style(STYLE).flip(0))


def test_a_style_of_one_color_becomes_the_object_s_mean_color() -> None:
    flat = torch.full((3, 8, 8), 0.25)
    matched = palette("content", "histogram").style(flat)
    mean = inside(MASK).mean(axis=1)
    np.testing.assert_allclose(
        matched.numpy(), np.broadcast_to(mean[:, None, None], (3, 8, 8)), atol=1e-5
    )


def test_only_luminance_of_the_style_is_seen_with_that_of_the_object() -> None:
    kept = palette("content")
    style = kept.style(STYLE)
    assert torch.equal(style[0], style[1])
    assert torch.equal(style[0], style[2])
    own = np.tensordot([0.299, 0.587, 0.114], inside(MASK), axes=1)
    assert style.mean() == pytest.approx(own.mean(), abs=2e-3)
    assert style.std(correction=0) == pytest.approx(own.std(), rel=0.02)
    # Moved and stretched, so that it is a linear function of the style's.
    assert np.corrcoef(style[0].flatten(), yiq(STYLE)[0].ravel())[0, 1] > 0.999
    gray = kept.seen(CONTENT)
    assert gray.shape == CONTENT.shape
    np.testing.assert_allclose(gray[1].numpy(), yiq(CONTENT)[0], atol=1e-6)


@given(seed=st.integers(0, 1000))
def test_the_object_keeps_its_chrominance(seed: int) -> None:
    pixels = 0.35 + 0.3 * picture(30, 40, seed=seed)
    painted = palette("content").painted(pixels, CONTENT)
    clipped = bool(((painted == 0) | (painted == 1)).any())
    if not clipped:
        np.testing.assert_allclose(yiq(painted)[0], yiq(pixels)[0], atol=1e-5)
        np.testing.assert_allclose(yiq(painted)[1:], yiq(CONTENT)[1:], atol=1e-5)
    assert 0 <= float(painted.min()) <= float(painted.max()) <= 1


def test_the_photo_itself_stays_as_it_is() -> None:
    for by in ("luminance", "histogram"):
        painted = palette("content", by).painted(CONTENT, CONTENT)
        torch.testing.assert_close(painted, CONTENT)


def test_the_gradient_flows_through_luminance_alone() -> None:
    pixels = CONTENT.clone().requires_grad_()
    palette("content").painted(pixels, CONTENT).sum().backward()
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    torch.testing.assert_close(pixels.grad, (3 * weights).expand_as(CONTENT))
