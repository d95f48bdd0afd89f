"""What of a style picture is a style."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from instyle_core.errors import InputError
from instyle_core.images.picture import read_picture
from instyle_core.painting.style_picture import style_of

HIDDEN = (255, 0, 255)


def saved(path: Path, color: np.ndarray, alpha: np.ndarray) -> Path:
    Image.fromarray(np.dstack([color, alpha]).astype(np.uint8)).save(path)
    return path


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (height, width, 3))


@pytest.mark.parametrize("alpha", [None, 255])
def test_an_opaque_picture_is_the_style(tmp_path: Path, alpha: int | None) -> None:
    color = noise(8, 9).astype(np.uint8)
    image = Image.fromarray(color)
    if alpha:
        image.putalpha(alpha)
    image.save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    pixels, notes = style_of(picture)
    assert pixels is picture.pixels
    assert notes == ()


def test_hidden_colors_are_no_part_of_the_style(tmp_path: Path) -> None:
    y, x = np.mgrid[:40, :50]
    inside = (y - 20) ** 2 + (x - 22) ** 2 < 12**2
    color = np.where(inside[..., None], noise(40, 50), HIDDEN)
    path = saved(tmp_path / "a.png", color, np.where(inside, 255, 0))
    pixels, notes = style_of(read_picture(path))
    rows, columns = inside.any(axis=1), inside.any(axis=0)
    assert pixels.shape == (3, rows.sum(), columns.sum())
    got = np.rint(pixels.permute(1, 2, 0).numpy() * 255).astype(int)
    cut = inside[rows][:, columns]
    assert np.array_equal(got[cut], color[rows][:, columns][cut])
    # What fills the corners are colors of the opaque part.
    of_the_style = {tuple(each) for each in color[inside]}
    assert {tuple(each) for each in got[~cut]} <= of_the_style
    assert len(notes) == 1
    assert "transparent" in notes[0]


def test_an_opaque_rectangle_is_cut_out(tmp_path: Path) -> None:
    color, alpha = noise(20, 30), np.zeros((20, 30))
    alpha[5:15, 10:28] = 255
    pixels, _ = style_of(read_picture(saved(tmp_path / "a.png", color, alpha)))
    want = torch.from_numpy(color[5:15, 10:28] / np.float32(255)).permute(2, 0, 1)
    assert torch.equal(pixels, want.float())


def test_nothing_opaque_is_no_style(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", noise(8, 8), np.full((8, 8), 100))
    with pytest.raises(InputError, match="opaque") as caught:
        style_of(read_picture(path))
    assert caught.value.where == str(path)
