"""What is handed on of a file's metadata: what tells of the scene, not of the file's layout."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from typing import Any, BinaryIO

from PIL import ExifTags, Image

#: The parts of EXIF about the camera and about the place.
CAMERA, PLACE = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo

#: Pixels per inch, (x, y).
Resolution = tuple[float, float]

_PER_INCH, _PER_CM = 2, 3  # values of ResolutionUnit

_Base = ExifTags.Base
_SCENE = {
    *(_Base.ImageDescription, _Base.Make, _Base.Model, _Base.DateTime, _Base.Artist),
    *(_Base.Copyright, _Base.XPTitle, _Base.XPComment, _Base.XPAuthor, _Base.XPKeywords),
    _Base.XPSubject,
}

#: Of the camera's part: what counts pixels or offsets, or describes samples of the file.
_LAYOUT = {
    *(_Base.ExifImageWidth, _Base.ExifImageHeight, _Base.ExifInteroperabilityOffset),
    *(_Base.MakerNote, _Base.ComponentsConfiguration, _Base.CompressedBitsPerPixel),
    *(_Base.ColorSpace, _Base.RelatedSoundFile, 0x9214, _Base.SubjectLocation),
    *(_Base.FocalPlaneXResolution, _Base.FocalPlaneYResolution),
    *(_Base.FocalPlaneResolutionUnit, _Base.CFAPattern, _Base.OECF, _Base.GPSInfo),
    *(_Base.SpatialFrequencyResponse, _Base.Gamma),
}

#: Where the tags of the camera's part are; others there are private ones of programs.
_OF_CAMERA = (range(0x829A, 0x829E), range(0x8822, 0x8840), range(0x9000, 0xA600))

#: Marks EXIF in a JPEG 2000 file, where Pillow does not look for it.
JPEG_2000_EXIF = b"JpgTiffExif->JP2"


def scene_exif(file: BinaryIO, image: Image.Image) -> bytes | None:
    """The EXIF that tells of the scene; None for none, or if it is damaged.

    That is date, author, copyright, descriptions, camera, exposure and place.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about single tags, which are left out
        try:
            found = _exif_of(file, image)
            camera = found.get_ifd(CAMERA)
            place = found.get_ifd(PLACE)
            own = {tag: found[tag] for tag in _SCENE if tag in found}
        except Exception:  # of any type; the picture itself is sound
            return None
        kept = Image.Exif()
        for tag, value in own.items():
            if _can_be_written({tag: value}):
                kept[tag] = value
        for part, tags in ((CAMERA, _of_camera(camera)), (PLACE, _of_place(place))):
            sound = {tag: v for tag, v in tags.items() if _can_be_written({part: {tag: v}})}
            if sound:
                kept[part] = sound
        return kept.tobytes() if len(kept) > 0 else None


def dpi_of(file: BinaryIO, image: Image.Image) -> Resolution | None:
    """The resolution, if the file tells it."""
    try:
        sides: Any = image.info.get("dpi")
        # Pillow makes up 72 for a JPEG that has EXIF.
        made_up = "exif" in image.info and image.info.get("jfif_unit", 0) not in (1, 2)
        if sides is None or (image.format in ("JPEG", "MPO") and made_up):
            exif = _exif_of(file, image)
            factor = 2.54 if exif.get(_Base.ResolutionUnit) == _PER_CM else 1
            sides = exif[_Base.XResolution] * factor, exif[_Base.YResolution] * factor
        x, y = map(float, sides)
    except Exception:  # of any type; the picture itself is sound
        return None
    # Where a TIFF tells none, Pillow has 1.
    return (x, y) if all(math.isfinite(side) and 1 < side <= 65535 for side in (x, y)) else None


def with_resolution(exif: bytes | None, dpi: Resolution) -> bytes:
    """EXIF that tells the resolution too, for formats that have no place of their own for it."""
    tags = Image.Exif()
    if exif is not None:
        tags.load(exif)
    tags[_Base.XResolution], tags[_Base.YResolution] = dpi
    tags[_Base.ResolutionUnit] = _PER_INCH
    return tags.tobytes()


def _exif_of(file: BinaryIO, image: Image.Image) -> Image.Exif:
    if image.format != "JPEG2000":
        return image.getexif()
    exif = Image.Exif()
    file.seek(0)
    if found := re.search(re.escape(JPEG_2000_EXIF) + rb"(II\*\0|MM\0\*)", data := file.read()):
        exif.load(data[found.start(1) :])
    return exif


def _of_camera(tags: Mapping[int, Any]) -> dict[int, Any]:
    return {
        tag: value
        for tag, value in tags.items()
        if tag in ExifTags.TAGS and tag not in _LAYOUT and any(tag in part for part in _OF_CAMERA)
    }


def _of_place(tags: Mapping[int, Any]) -> dict[int, Any]:
    return {tag: value for tag, value in tags.items() if tag in ExifTags.GPSTAGS}


def _can_be_written(tags: Mapping[int, Any]) -> bool:
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[tag] = value
    try:
        exif.tobytes()
    except Exception:  # Pillow raises anything at values of other types than a tag has
        return False
    return True
