"""Pictures that are shrunk as they are read, and what points at them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from instyle_core import InputError
from instyle_core.config.select import Select, shrunk
from instyle_core.images.picture import read_picture
from tests.core.helpers.studio import BOX, HEIGHT, WIDTH, Studio, noise, save


def smooth(height: int, width: int) -> np.ndarray:
    """A picture that is the same however it is shrunk, but for rounding: three ramps."""
    y, x = np.mgrid[:height, :width]
    planes = [255 * (x + 0.5) / width, 255 * (y + 0.5) / height, 127 * (x / width + y / height)]
    return np.stack(planes, axis=2).round().astype(np.uint8)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize(("height", "width"), [(300, 400), (400, 300), (333, 177)])
def test_a_larger_picture_is_shrunk(tmp_path: Path, suffix: str, height: int, width: int) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(smooth(height, width)).save(path, quality=95)
    picture = read_picture(path, longest=50)
    factor = 50 / max(height, width)
    size = (round(height * factor), round(width * factor))
    assert picture.size == size
    assert picture.pixels.shape == (3, *size)
    assert picture.full_size == (height, width)
    error = np.abs(picture.pixels.numpy() * 255 - smooth(*size).transpose(2, 0, 1))
    assert error.mean() < 3
    assert error.max() < 12  # JPEG's


def test_each_pixel_is_the_mean_of_its_area(tmp_path: Path) -> None:
    samples = noise(40, 60)
    save(tmp_path / "a.png", samples)
    picture = read_picture(tmp_path / "a.png", longest=15)
    means = samples.reshape(10, 4, 15, 4, 3).mean(axis=(1, 3))
    assert np.abs(picture.pixels.numpy().transpose(1, 2, 0) * 255 - means).max() <= 0.51


def test_a_picture_on_its_side_is_turned_up_first(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.fromarray(smooth(100, 300)).save(tmp_path / "a.jpg", quality=95, exif=exif)
    picture = read_picture(tmp_path / "a.jpg", longest=30)
    assert picture.size == (30, 10)
    assert picture.full_size == (300, 100)


def test_transparency_and_gray(tmp_path: Path) -> None:
    gray = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (40, 1))
    Image.fromarray(np.stack([gray, 255 - gray], axis=2), "LA").save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png", longest=20)
    assert picture.alpha is not None
    assert picture.alpha.shape == (1, 13, 20)
    assert picture.pixels.shape == (3, 13, 20)
    assert float((picture.alpha[0] + picture.pixels[0] - 1).abs().max()) < 0.01


@pytest.mark.parametrize("longest", [60, 100, None])
def test_a_smaller_picture_stays_as_it_is(tmp_path: Path, longest: int | None) -> None:
    samples = noise(40, 60)
    save(tmp_path / "a.png", samples)
    picture = read_picture(tmp_path / "a.png", longest=longest)
    assert picture.full_size is None
    assert np.array_equal(picture.samples, samples)


# --- points and boxes -----------------------------------------------------------------------------


@given(data=st.data(), height=st.integers(1, 5000), width=st.integers(1, 5000))
def test_points_and_boxes_go_with_the_picture(data: st.DataObject, height: int, width: int) -> None:
    factor = data.draw(st.floats(0.01, 1))
    smaller = (max(1, round(height * factor)), max(1, round(width * factor)))
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x1, y1 = data.draw(st.integers(x + 1, width)), data.draw(st.integers(y + 1, height))
    select = shrunk(Select(point=(x, y), box=(x, y, x1, y1)), (height, width), smaller)
    assert select.point is not None
    assert select.box is not None
    # The pixel that the point's own has become a part of, and all of the pixels of the box's.
    assert select.point[0] == x * smaller[1] // width < smaller[1]
    assert select.point[1] == y * smaller[0] // height < smaller[0]
    left, top, right, bottom = select.box
    assert 0 <= left < right <= smaller[1]
    assert 0 <= top < bottom <= smaller[0]
    assert left * width <= x * smaller[1] < (left + 1) * width
    assert top * height <= y * smaller[0] < (top + 1) * height
    assert (right - 1) * width < x1 * smaller[1] <= right * width
    assert (bottom - 1) * height < y1 * smaller[0] <= bottom * height


def test_a_point_is_checked_against_the_picture_in_its_file() -> None:
    with pytest.raises(InputError, match=r"the point \[400, 1\] is outside"):
        shrunk(Select(point=(400, 1)), (300, 400), (75, 100))


def test_a_run_on_a_shrunk_photo(studio: Studio) -> None:
    large = np.kron(noise(), np.ones((3, 3, 1), np.uint8))
    save(studio.folder / "photo.png", large)
    box = [3 * side for side in BOX]
    result = studio.run(
        shrink=max(WIDTH, HEIGHT), objects=[{"segmenter": "region", "select": {"box": box}}]
    )
    with Image.open(result.output) as picture:
        assert picture.size == (WIDTH, HEIGHT)
        changed = (np.asarray(picture) != noise()).any(axis=2)
    assert changed.any()
    x0, y0, x1, y1 = BOX
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[y0:y1, x0:x1] = True
    assert not changed[~inside].any()
