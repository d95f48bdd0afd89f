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


def test_masks_are_added_and_subtracted(tmp_path: Path) -> None:
    """Three gray pictures, by NumPy: the largest of those added, at most 1 minus the other."""
    random = np.random.default_rng(0)
    grays = dict(zip("abcd", random.integers(0, 256, (4, 40, 60)), strict=True))
    files = {name: tmp_path / f"{name}.png" for name in grays}
    for name, path in files.items():
        write(path, grays[name])
    a, b, c, d = (gray / 255 for gray in grays.values())
    seen = segment(files["a"], add=[files["b"], files["c"]], subtract=[files["d"]])
    expected = np.minimum(np.max([a, b, c], axis=0), 1 - d)
    np.testing.assert_allclose(seen.probabilities[1], expected, atol=1e-6)
    seen = segment(files["a"], invert=True, subtract=[files["c"], files["d"]])
    expected = np.min([1 - a, 1 - c, 1 - d], axis=0)
    np.testing.assert_allclose(seen.probabilities[1], expected, atol=1e-6)
    (instance,) = seen.instances or ()
    assert torch.equal(instance.mask, seen.probabilities[1:])


def test_masks_may_be_added_to_nothing(file: Path) -> None:
    write(file, testing.disc(40, 60).decision[0].numpy() * 255)
    segmenter = MaskSegmenter(MaskParams(add=[file]))
    seen = testing.check_segmenter(segmenter, IMAGE, Prompt())
    assert torch.equal(seen.probabilities, segment(file).probabilities)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "missing key 'path', or 'add' with some masks"),
        ({"subtract": [__file__]}, "missing key 'path', or 'add' with some masks"),
        ({"add": []}, "should have at least 1 entry"),
        ({"add": [__file__], "invert": True}, "'invert' is of no use without 'path'"),
        ({"path": __file__, "subtract": ["no-such.png"]}, "no such file"),
    ],
)
def test_wrong_parameters(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskParams.model_validate(keys)


def test_a_single_mask_is_recorded_as_ever(file: Path) -> None:
    """So that a run which an earlier version began can be resumed."""
    write(file, np.zeros((4, 4)))
    params = MaskParams(path=file).model_dump(mode="json", exclude_none=True)
    assert params == {"path": str(file), "invert": False}


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
