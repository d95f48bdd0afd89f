"""Encoded files, as other programs read them."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from instyle_core.errors import InstyleError
from instyle_core.images.encoding import Tags, encode
from instyle_core.images.picture import read_picture, write_picture
from tests.core.helpers.pictures import P3_PROFILE, exif, noise

ALL = Tags(P3_PROFILE, exif(1), (300.0, 200.0))


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_is_as_another_program_reads_it(tmp_path: Path, channels: int, dtype: type) -> None:
    samples = noise(16, 24, channels, dtype=dtype)
    extras = ["unassalpha"] if channels == 4 else None
    tags = [(271, 2, 0, "Leica", True), (282, 5, 1, (300, 1), True), (296, 3, 1, 2, True)]
    tifffile.imwrite(
        tmp_path / "a.tif",
        samples,
        photometric="rgb",
        extrasamples=extras,
        resolution=(300, 200),
        resolutionunit="inch",
        metadata=None,
        extratags=tags[:1],
    )
    picture = read_picture(tmp_path / "a.tif")
    write_picture(tmp_path / "b.tif", picture.pixels, like=picture)
    with tifffile.TiffFile(tmp_path / "b.tif") as written:
        page = written.pages[0]
        assert np.array_equal(page.asarray(), samples)
        assert page.tags["Make"].value == "Leica"
        assert page.tags["XResolution"].value == (300, 1)
        assert page.tags["YResolution"].value == (200, 1)
        assert page.tags["StripOffsets"].count == 1
        if channels == 4:
            assert page.tags["ExtraSamples"].value == (2,)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("tags", [Tags(), ALL], ids=["bare", "with all tags"])
@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG2000"])
def test_what_is_lossless(tmp_path: Path, form: str, tags: Tags, channels: int) -> None:
    samples = noise(16, 24, channels)
    encoded, notes = encode(samples, form, tags)
    assert notes == ()
    if form == "TIFF":  # of which OpenCV multiplies the colors by alpha
        assert np.array_equal(tifffile.imread(io.BytesIO(encoded)), samples)
        return
    decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    assert np.array_equal(decoded[..., [2, 1, 0, 3][:channels]], samples)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_gray(form: str) -> None:
    samples = noise(16, 24, 1)
    encoded, _ = encode(samples, form)
    decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    assert np.array_equal(decoded, samples[..., 0])


def test_what_no_encoder_takes() -> None:
    with pytest.raises(InstyleError, match="could not be encoded as WEBP"):
        encode(noise(1, 20000, 3), "WEBP", ALL)
