"""JPEG files that end too early."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from instyle_core.errors import InputError
from instyle_core.images.picture import read_picture
from tests.core.helpers.pictures import noise

KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 3},
    "full color": {"subsampling": 0},
}


def jpeg(**options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(noise(160, 200, 3)).save(file, "JPEG", quality=80, **options)
    return file.getvalue()


def decoded(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [1, 2])
def test_without_an_end_marker_nothing_is_lost(tmp_path: Path, kind: str, missing: int) -> None:
    whole = jpeg(**KINDS[kind])
    (tmp_path / "a.jpg").write_bytes(whole[:-missing])
    picture = read_picture(tmp_path / "a.jpg")
    assert np.array_equal(picture.samples, decoded(whole))
    assert picture.notes == ()
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize("kind", ["baseline", "restarts", "full color"])
def test_a_few_bytes_less_are_noted(tmp_path: Path, kind: str) -> None:
    whole = jpeg(**KINDS[kind])
    (tmp_path / "a.jpg").write_bytes(whole[:-100])
    picture = read_picture(tmp_path / "a.jpg")
    same = (picture.samples == decoded(whole)).all(axis=2)
    assert same[:128].all()  # all but the last rows, two blocks high
    assert same.mean() > 0.95
    assert len(picture.notes) == 1
    assert "end of the file is missing" in picture.notes[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_large_part_less_is_an_error(tmp_path: Path, kind: str, kept: float) -> None:
    whole = jpeg(**KINDS[kind])
    (tmp_path / "a.jpg").write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(InputError, match="damaged or incomplete"):
        read_picture(tmp_path / "a.jpg")


def test_a_progressive_file_that_ends_between_scans(tmp_path: Path) -> None:
    """It decodes without any difference at its end, and yet has no details."""
    whole = jpeg(progressive=True)
    (tmp_path / "a.jpg").write_bytes(whole[: whole.rindex(b"\xff\xda")])
    with pytest.raises(InputError, match="damaged or incomplete"):
        read_picture(tmp_path / "a.jpg")


def test_when_shrunk(tmp_path: Path) -> None:
    whole = jpeg()
    (tmp_path / "whole.jpg").write_bytes(whole)
    (tmp_path / "a.jpg").write_bytes(whole[:-2])
    want = read_picture(tmp_path / "whole.jpg", longest=25)
    picture = read_picture(tmp_path / "a.jpg", longest=25)
    assert picture.size == (20, 25)
    assert np.array_equal(picture.samples, want.samples)
