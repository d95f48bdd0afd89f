"""The user's own mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from instyle_core import InputError, Prompt, Segmentation, testing
from instyle_segmenters.mask import MaskSegmenter
from instyle_segmenters.params import MaskParams

IMAGE = testing.picture(40, 60)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mask.png"


def segment(file: Path, **params: object) -> Segmentation:
    segmenter = MaskSegmenter(MaskParams.model_validate({"path": file, **params}))
    return testing.check_segmenter(segmenter, IMAGE, Prompt())


def write(file: Path, gray: np.ndarray) -> None:
    Image.fromarray(gray.astype(np.uint8)).save(file)


def test_binary(file: Path) -> None:
    expected = testing.disc(40, 60).decision
    write(file, expected[0].numpy() * 255)
    seen = segment(file)
    assert seen.classes == ("background", "object")
    assert torch.equal(seen.probabilities, torch.cat([1 - expected, expected]))


def test_soft(file: Path) -> None:
    gray = np.linspace(0, 255, 60).round()[None].repeat(40, axis=0)
    write(file, gray)
    expected = torch.from_numpy(gray / 255).float()
    torch.testing.assert_close(segment(file).probabilities[1], expected, atol=1e-6, rtol=0)


def test_any_size(file: Path) -> None:
    gray = np.zeros((80, 120))
    gray[20:60, 40:100] = 255
    write(file, gray)
    expected = torch.zeros(40, 60)
    expected[10:30, 20:50] = 1
    assert torch.equal(segment(file).probabilities[1], expected)


def test_invert(file: Path) -> None:
    write(file, testing.disc(40, 60).decision[0].numpy() * 255)
    plain, inverted = segment(file), segment(file, invert=True)
    assert torch.equal(inverted.probabilities, plain.probabilities.flip(0))


def test_an_empty_mask_is_left_to_the_core(file: Path) -> None:
    write(file, np.zeros((40, 60)))
    assert float(segment(file).probabilities[1].max()) == 0


def test_no_picture(file: Path) -> None:
    file.write_text("this is no picture")
    with pytest.raises(InputError):
        segment(file)


def test_no_file(file: Path) -> None:
    with pytest.raises(ValueError, match="no such file"):
        MaskParams(path=file)


def test_all_pieces_are_one_object(file: Path) -> None:
    gray = np.zeros((40, 60))
    gray[2:10, 2:10] = gray[20:35, 30:50] = 255
    write(file, gray)
    (instance,) = segment(file).instances or ()
    assert (instance.class_name, instance.score) == ("object", 1)
    assert torch.equal(instance.mask[0], torch.from_numpy(gray / 255).float())
