"""Opening picture files: which formats are read, the limits, and what a header alone tells.

Nothing heavy is imported here, so that a spec can be checked with it.
"""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from instyle_core.errors import InputError, InstyleError

# Formats are named: by default, Pillow would also start Ghostscript for a PostScript file.
_READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000")
_READABLE_HINT = "use a PNG, JPEG, WebP, TIFF, AVIF, HEIC, JPEG 2000, BMP, GIF or PPM file"

ORIENTATION = 0x0112  # an EXIF tag
SIDEWAYS = (5, 6, 7, 8)  # its values that swap height and width

#: Bytes of a profile of a PNG, unpacked, and of whatever else a file has beside its samples. Pillow
#: allows a profile one megabyte, as a guard against files that unpack to gigabytes.
_MOST_TEXT = 64 * 2**20

_PNG = b"\x89PNG\r\n\x1a\n"

_limits_lock = threading.Lock()


@dataclass(frozen=True)
class Header:
    """What the header of a picture file tells.

    Attributes:
        size: (height, width), upright.
        format: its name, as Pillow has it, such as ``JPEG``.
        has_alpha: whether it may be transparent anywhere.
        frames: how many there are; 1, since files with more are refused.
    """

    size: tuple[int, int]
    format: str
    has_alpha: bool
    frames: int


def read_header(path: Path, max_megapixels: float) -> Header:
    """Find out what a picture file is, without decoding it.

    Args:
        path: as for `instyle_core.images.picture.read_picture`.
        max_megapixels: larger pictures, in 10^6 pixels, are refused.

    Raises:
        InputError: as when it is read, but for data that is damaged.
    """
    with opened(path, max_megapixels) as (file, image):
        size = image.height, image.width
        if orientation_of(file, image) in SIDEWAYS:
            size = size[1], size[0]
        assert image.format  # only Pillow's own pictures have none
        return Header(size, image.format, image.has_transparency_data, frames_of(image))


@contextmanager
def opened(path: Path, max_megapixels: float) -> Iterator[tuple[BinaryIO, Image.Image]]:
    """Open a picture file with one frame; whatever fails in the block is an error in plain words.

    Raises:
        InputError: see `instyle_core.images.picture.read_picture`.
    """
    with _input_errors(path):
        if not path.is_file():
            if not path.exists():
                raise FileNotFoundError
            kind = "a folder" if path.is_dir() else "a pipe or a device"
            raise InputError(f"this is {kind}, not a picture", hint=_READABLE_HINT)
        with path.open("rb") as whole, _own_limits():
            _check_bytes(path, max_megapixels)
            file = _without_text(whole)
            image = Image.open(file, formats=_formats(file))
            _check(image, max_megapixels)
            yield file, image


def frames_of(image: Image.Image) -> int:
    """How many pictures a file has; a preview or depth map behind a phone's JPEG counts not."""
    return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)


def most_bytes(max_megapixels: float) -> float:
    """The most bytes that the file of a picture needs, of at most so many 10^6 pixels."""
    return 16 * max_megapixels * 1e6 + _MOST_TEXT


def _check_bytes(path: Path, max_megapixels: float) -> None:
    """Some formats are read into memory at once, even for their header."""
    if (size := path.stat().st_size) > most_bytes(max_megapixels):
        raise InputError(
            f"the file has {size / 1e6:.4g} megabytes, which no picture within the limit of "
            f"{max_megapixels:g} megapixels needs",
            hint="save it anew, or raise the limit, which is called max_megapixels",
        )


def _check(image: Image.Image, max_megapixels: float) -> None:
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise InputError(
            f"the picture has {megapixels:.4g} megapixels ({image.width} x {image.height}), "
            f"and the limit is {max_megapixels:g}",
            hint="make it smaller, or raise the limit, which is called max_megapixels",
        )
    frames = frames_of(image)
    if frames > 1:
        raise InputError(
            f"the file has {frames} frames or pages, and a picture has one",
            hint="save one frame as PNG, and use that",
        )


def _formats(file: BinaryIO) -> tuple[str, ...]:
    """The formats to try; HEIC needs a package that not everybody has."""
    start = file.read(64)
    file.seek(0)
    brands = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1")
    if start[4:8] != b"ftyp" or b"avif" in start or start[8:12] not in brands:
        return _READABLE
    if find_spec("pillow_heif") is None:
        raise InputError(
            "HEIC files are read with the package pillow-heif, which is not installed",
            hint="pip install 'instyle[heic]', or save the picture as JPEG or PNG",
        )
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)
    return ("HEIF",)


@contextmanager
def _own_limits() -> Iterator[None]:
    """Put our limits in the place of Pillow's, which are global variables."""
    with _limits_lock:
        pixels, text = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK
        Image.MAX_IMAGE_PIXELS = None
        PngImagePlugin.MAX_TEXT_CHUNK = _MOST_TEXT
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = pixels, text


@contextmanager
def _input_errors(path: Path) -> Iterator[None]:
    """Turn whatever keeps a file from being read into an error in plain words."""
    try:
        yield
    except InstyleError as error:
        error.where = error.where or str(path)
        raise
    except MemoryError:
        raise
    except Exception as error:  # decoders raise nearly anything at a damaged file
        what, hint = _explain(path, error)
        raise InputError(what, where=str(path), hint=hint) from error


def _explain(path: Path, error: Exception) -> tuple[str, str]:
    match error:
        case FileNotFoundError():
            return "there is no such file", "check the name and the folder"
        case PermissionError():
            return "the file may not be read", "check its permissions"
        case UnidentifiedImageError() if path.stat().st_size == 0:
            return "the file is empty", _READABLE_HINT
        case UnidentifiedImageError():
            return "this is not a picture that can be read", _READABLE_HINT
        case OSError(strerror=str(reason)):
            return f"the file cannot be read: {reason}", "check the name and the disk"
    return f"the picture is damaged or incomplete: {error}", "get a fresh copy, or save it anew"


def orientation_of(file: BinaryIO, image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8, that Pillow has not applied; 1 for damaged EXIF."""
    if image.format == "TIFF":
        return 1  # its size is upright already
    if image.format == "PNG" and "exif" not in image.info and not _has_late_exif(file):
        return 1  # Pillow would decode all of the picture to look behind it
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # of any type; the picture itself is sound
        return 1


def _without_text(file: BinaryIO) -> BinaryIO:
    """The file; of a PNG, a copy in memory without texts.

    They are of no use here, and may be megabytes of a generator's settings, more than Pillow reads;
    and by their names Pillow would take some for properties of the picture.
    """
    start = file.read(len(_PNG))
    if start != _PNG:
        file.seek(0)
        return file
    kept = [start]
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[:4], "big") + 4  # with the checksum
        if head[4:] in (b"tEXt", b"zTXt", b"iTXt"):
            file.seek(length, 1)
        else:
            data = file.read(length)
            if len(data) < length:  # decoders would make room for what it claims to be
                head = struct.pack(">I", max(len(data) - 4, 0)) + head[4:]
            kept += head, data
    return io.BytesIO(b"".join([*kept, head]))


def _has_late_exif(file: BinaryIO) -> bool:
    """Whether a PNG has a chunk ``eXIf`` anywhere; its data is skipped."""
    place = file.tell()
    file.seek(len(_PNG))
    found = False
    while not found and len(head := file.read(8)) == 8:
        found = head[4:] == b"eXIf"
        file.seek(int.from_bytes(head[:4], "big") + 4, 1)
    file.seek(place)
    return found
