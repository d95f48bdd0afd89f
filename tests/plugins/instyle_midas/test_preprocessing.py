"""How pictures are prepared, against transformers' own processor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import AutoImageProcessor

from instyle_core import WeightsError, testing
from instyle_midas.preprocessing import Preprocessing
from tests.plugins.instyle_midas.networks import ANYTHING, processor

SETTINGS: dict[str, dict[str, Any]] = {
    "dpt": {},
    "anything": ANYTHING,
    "bicubic": {"resample": 3, "size": {"height": 50, "width": 70}, "ensure_multiple_of": 8},
    "wide": {"keep_aspect_ratio": True, "size": {"height": 48, "width": 96}},
}
SIZES = [(64, 64), (56, 84), (37, 200), (300, 60), (20, 20), (333, 500)]


def ours(**changes: Any) -> Preprocessing:
    return Preprocessing.of(processor(**changes), Path("preprocessor_config.json"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SETTINGS)
def test_the_processor_itself(name: str, size: tuple[int, int]) -> None:
    samples = (testing.picture(*size) * 255).round().byte()
    image = Image.fromarray(samples.permute(1, 2, 0).numpy())
    theirs = processor(**SETTINGS[name])
    expected = theirs(image, return_tensors="pt")["pixel_values"]
    prepare = ours(**SETTINGS[name])
    found = prepare(samples[None].float() / 255)
    assert found.shape == expected.shape
    # Theirs rounds to one of 256 levels, once for each direction.
    level = 1 / 255 / torch.tensor(prepare.std)[:, None, None]
    assert bool(((found - expected).abs() <= 1.1 * level).all())
    if found.shape[-2:] == size:
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    exact = theirs(testing.picture(*size), do_rescale=False, return_tensors="pt")["pixel_values"]
    assert (prepare(testing.picture(*size)[None]) - exact).abs().max() < 1e-5


sides = st.integers(1, 3000)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    size=st.tuples(sides, sides),
    wanted=st.tuples(st.integers(14, 600), st.integers(14, 600)),
    multiple=st.sampled_from([1, 8, 14, 32]),
    keep=st.booleans(),
)
def test_the_size_that_is_seen(
    size: tuple[int, int], wanted: tuple[int, int], multiple: int, keep: bool
) -> None:
    from transformers.models.dpt.image_processing_dpt import get_resize_output_image_size

    prepare = Preprocessing(wanted, keep, multiple, "bilinear", (0.5,) * 3, (0.5,) * 3)
    found = prepare.seen_size(size)
    theirs = get_resize_output_image_size(
        torch.empty(3, *size, device="meta"), wanted, keep, multiple
    )
    for side, expected in zip(found, (theirs["height"], theirs["width"]), strict=True):
        # Theirs makes nothing of a side that is too thin, and fails then.
        assert side == (expected or multiple)


def test_gradient_comes_through() -> None:
    images = testing.picture(90, 75)[None].double().requires_grad_()
    prepare = ours(**ANYTHING)
    torch.autograd.gradcheck(lambda crop: prepare(crop)[..., ::9, ::9], images, fast_mode=True)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"do_resize": False}, "do_resize: False"),
        ({"do_rescale": False}, "do_rescale: False"),
        ({"rescale_factor": 1 / 127.5}, "rescale_factor: 0.0078"),
        ({"do_normalize": False}, "do_normalize: False"),
        ({"do_pad": True, "size_divisor": 14}, "do_pad: True"),
        ({"resample": 0}, "resample: 0"),
        ({"resample": 1}, "resample: 1"),
    ],
)
def test_what_is_not_reproduced_is_refused(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(WeightsError, match=key) as caught:
        ours(**changes)
    assert caught.value.where == "preprocessor_config.json"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (  # dpt-large: as old versions of transformers wrote it
            {"feature_extractor_type": "DPTFeatureExtractor", "size": 384, "resample": 2},
            Preprocessing((384, 384), False, 1, "bilinear", (0.5,) * 3, (0.5,) * 3),
        ),
        (
            {
                "image_processor_type": "DPTImageProcessor",
                "size": {"height": 518, "width": 518},
                "keep_aspect_ratio": True,
                "ensure_multiple_of": 14,
                "resample": 3,
                "do_pad": False,
                "size_divisor": None,
                "image_mean": [0.485, 0.456, 0.406],
                "image_std": [0.229, 0.224, 0.225],
            },
            Preprocessing(
                (518, 518), True, 14, "bicubic", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
            ),
        ),
    ],
)
def test_published_settings(
    tmp_path: Path, published: dict[str, Any], expected: Preprocessing
) -> None:
    file = tmp_path / "preprocessor_config.json"
    usual = {"do_normalize": True, "do_resize": True, "image_mean": [0.5] * 3}
    file.write_text(json.dumps({**usual, "image_std": [0.5] * 3, **published}))
    assert Preprocessing.of(AutoImageProcessor.from_pretrained(tmp_path), file) == expected
