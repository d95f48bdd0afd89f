"""What a run tells about its pictures, and pictures that it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from instyle_core.errors import InputError
from instyle_core.events import Note, Step
from tests.core.helpers.studio import BOX, HEIGHT, WIDTH, Studio, noise, rectangle, save


def notes(studio: Studio, **changes: Any) -> list[str]:
    return [event.message for event in studio.events(**changes) if isinstance(event, Note)]


def test_ordinary_pictures_need_no_notes(studio: Studio) -> None:
    assert notes(studio) == []


def test_a_mask_of_other_proportions(studio: Studio) -> None:
    save(studio.folder / "mask.png", rectangle((10, 10, 20, 20), 50, 50))
    (note,) = notes(studio, segmenter={"use": "mask", "path": "mask.png"})
    assert "mask.png" in note
    assert "stretched" in note


def test_a_cut_out_as_a_mask(studio: Studio) -> None:
    cut_out = np.dstack([noise(seed=3), rectangle(BOX)])
    save(studio.folder / "mask.png", cut_out)
    (note,) = notes(studio, segmenter={"use": "mask", "path": "mask.png"})
    assert "transparency" in note
    changed = (studio.output != studio.photo).any(axis=2)
    assert np.array_equal(changed, rectangle(BOX) > 0)


@pytest.mark.parametrize("key", ["mask", "start"])
def test_a_picture_on_its_side(studio: Studio, key: str) -> None:
    save(studio.folder / "other.png", noise(WIDTH, HEIGHT))
    mask = {"segmenter": {"use": "mask", "path": "other.png"}}
    with pytest.raises(InputError, match="on its side"):
        studio.run(**(mask if key == "mask" else {"start": "other.png"}))
    assert not (studio.folder / "out.png").exists()


def test_a_start_of_other_proportions(studio: Studio) -> None:
    save(studio.folder / "other.png", noise(40, 40))
    (note,) = notes(studio, start="other.png")
    assert "other.png" in note
    assert "stretched" in note


def test_the_photo_shows_through_a_start(studio: Studio) -> None:
    save(studio.folder / "photo.png", noise(128, 128))
    alpha = np.zeros((128, 128), np.uint8)
    alpha[:64] = 255
    save(studio.folder / "other.png", np.dstack([noise(128, 128, seed=1), alpha]))
    options: dict[str, Any] = {"objects": None, "size": 128, "start": "other.png"}
    events = studio.events(losses=[{"use": "fault", "at": 99}], **options)
    start = next(event.picture() for event in events if isinstance(event, Step))
    got = np.rint(start.permute(1, 2, 0).numpy() * 255)
    assert np.array_equal(got[:64], noise(128, 128, seed=1)[:64])
    assert np.array_equal(got[64:], noise(128, 128)[64:])


def test_a_style_with_transparency(studio: Studio) -> None:
    style = np.full((24, 32, 4), (0, 0, 255, 0), np.uint8)
    style[4:20, 5:30] = (200, 100, 50, 255)
    save(studio.folder / "style.png", style)
    (note,) = notes(studio)
    assert "style.png" in note
    assert "transparent" in note
    with_hidden = studio.output
    save(studio.folder / "style.png", style[4:20, 5:30, :3])
    assert notes(studio) == []
    assert np.array_equal(studio.output, with_hidden)


def test_a_style_of_which_nothing_shows(studio: Studio) -> None:
    save(studio.folder / "style.png", np.zeros((24, 32, 4), np.uint8))
    with pytest.raises(InputError, match="opaque"):
        studio.run()


def test_16_bits_that_the_output_cannot_hold(studio: Studio) -> None:
    save(studio.folder / "photo.png", noise(depth=16))
    (note,) = notes(studio, output="out.jpg")
    assert "8 bits" in note
    assert notes(studio, output="out.png") == []


@pytest.mark.parametrize("metadata", ["keep", "none"])
def test_metadata(studio: Studio, metadata: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Leica"
    Image.fromarray(noise()).save(studio.folder / "photo.png", exif=exif)
    studio.run(metadata=metadata)
    with Image.open(studio.folder / "out.png") as written:
        assert dict(written.getexif()) == ({0x010F: "Leica"} if metadata == "keep" else {})


def test_a_photo_without_its_end(studio: Studio) -> None:
    Image.fromarray(noise()).save(studio.folder / "photo.jpg", quality=95)
    data = (studio.folder / "photo.jpg").read_bytes()
    (studio.folder / "photo.jpg").write_bytes(data[:-30])
    (note,) = notes(studio, content="photo.jpg")
    assert "photo.jpg: the end of the file is missing" in note
