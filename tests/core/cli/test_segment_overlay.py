"""The overlay that ``instyle segment`` writes."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from tests.core.helpers.segments import SEVERAL, Segment, assert_refused, objects, rectangles
from tests.core.helpers.studio import (
    BOX,
    HEIGHT,
    WIDTH,
    Studio,
    listing,
    noise,
    read,
    rectangle,
    save,
)


def test_the_overlay_shows_the_object_in_color_in_a_photo_that_is_grayed(
    studio: Studio, segment: Segment
) -> None:
    save(studio.folder / "photo.png", np.full((HEIGHT, WIDTH, 3), (200, 40, 40), np.uint8))
    before = (studio.folder / "photo.png").read_bytes()
    mask = rectangle((10, 20, 50, 40))
    save(studio.folder / "mask.png", mask)
    assert segment().out.splitlines()[-1] == "photo-segments.png"
    overlay = read(studio.folder / "photo-segments.png").astype(int)
    assert overlay.shape == (HEIGHT, WIDTH, 3)
    background = overlay[42:]  # below the object; above it is the label
    assert (background == background[0, 0]).all()
    # Grayed, and not gray: the colors are nearer to each other, in the same order.
    assert 0 < background[0, 0, 0] - background[0, 0, 1] < 200 - 40
    inner = overlay[36:38, 40:48]
    assert (inner == inner[0, 0]).all()
    assert np.abs(inner[0, 0] - background[0, 0]).max() > 20
    assert (studio.folder / "photo.png").read_bytes() == before


@pytest.mark.parametrize("name", ["seen.png", "seen.jpg", "sub/Überblick 1.webp"])
def test_the_overlay_goes_where_it_is_told_to(studio: Studio, segment: Segment, name: str) -> None:
    (studio.folder / "sub").mkdir()
    done = segment("-o", name)
    assert done.status == 0
    assert done.out.splitlines()[-1] == name
    assert read(studio.folder / name).shape == (HEIGHT, WIDTH, 3)
    assert not (studio.folder / "photo-segments.png").exists()


@pytest.mark.parametrize("name", ["photo.png", "link.png", "hard.png", "./sub/../photo.png"])
def test_the_photo_is_never_overwritten(studio: Studio, segment: Segment, name: str) -> None:
    (studio.folder / "sub").mkdir()
    (studio.folder / "link.png").symlink_to("photo.png")
    os.link(studio.folder / "photo.png", studio.folder / "hard.png")
    before = listing(studio.folder)
    assert_refused(segment("-o", name), "never written")
    assert listing(studio.folder) == before


@pytest.mark.parametrize("name", ["no/where.png", "seen.txt", "."])
def test_an_overlay_that_cannot_be_written(studio: Studio, segment: Segment, name: str) -> None:
    before = listing(studio.folder)
    assert_refused(segment("-o", name))
    assert listing(studio.folder) == before


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 3), (7, 5)])
def test_pictures_of_any_size(studio: Studio, segment: Segment, size: tuple[int, int]) -> None:
    save(studio.folder / "photo.png", noise(*size))
    save(studio.folder / "mask.png", np.full(size, 255, np.uint8))
    (found,) = objects(segment("--json"))
    assert found["box"] == [0, 0, size[1], size[0]]
    assert read(studio.folder / "photo-segments.png").shape == (*size, 3)


def test_more_objects_than_colors(studio: Studio, segment: Segment) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for y in range(0, 44, 11):
        for x in range(0, 60, 12):
            mask[y : y + 9, x : x + 10] = 255
    save(studio.folder / "mask.png", mask)
    assert len(objects(segment("--json"))) == 20


@pytest.mark.parametrize("depth", [8, 16])
def test_photos_with_depth_and_transparency(studio: Studio, segment: Segment, depth: int) -> None:
    photo = noise(depth=depth)
    save(studio.folder / "photo.png", np.concatenate([photo, photo[..., :1]], axis=2))
    (found,) = objects(segment("--json"))
    assert found["box"] == list(BOX)


def test_what_is_meant_stands_out(studio: Studio, segment: Segment) -> None:
    save(studio.folder / "photo.png", np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
    save(studio.folder / "mask.png", rectangles(SEVERAL[:2]))
    segment("--instance", "1")
    overlay = read(studio.folder / "photo-segments.png").astype(int)

    def color(x: int, y: int) -> int:
        return int(np.ptp(overlay[y, x]))

    assert color(7, 10) > 2 * color(35, 22) > 0
    assert color(55, 40) == 0


# --- photos of any kind ---------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_overlay_is_upright(studio: Studio, segment: Segment, orientation: int) -> None:
    photo = Image.fromarray(noise())
    tags = Image.Exif()
    tags[0x0112] = orientation
    photo.save(studio.folder / "photo.jpg", exif=tags.tobytes())
    upright = (WIDTH, HEIGHT) if orientation in (6, 8) else (HEIGHT, WIDTH)
    save(studio.folder / "mask.png", np.full(upright, 255, np.uint8))
    (found,) = objects(segment("--json", image="photo.jpg"))
    assert found["box"] == [0, 0, upright[1], upright[0]]
    overlay = Image.open(studio.folder / "photo-segments.png")
    assert overlay.size == upright[::-1]
    assert 0x0112 not in overlay.getexif()


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "LA", "RGBA", "I;16"])
def test_photos_of_any_mode(studio: Studio, segment: Segment, mode: str) -> None:
    photo = Image.fromarray(noise())
    if mode == "I;16":
        photo = Image.fromarray(noise(depth=16)[..., 0])
    else:
        photo = photo.convert("L").convert("LA") if mode == "LA" else photo.convert(mode)
    name = "photo.tif" if mode == "CMYK" else "photo-.png"
    photo.save(studio.folder / name)
    (found,) = objects(segment("--json", "-o", "seen.png", image=name))
    assert found["box"] == list(BOX)
    seen = read(studio.folder / "seen.png")
    assert (seen.shape, seen.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)


# --- what is read is never written ----------------------------------------------------------------


def test_the_mask_is_not_replaced_by_its_overlay(studio: Studio, segment: Segment) -> None:
    mask = studio.folder / "photo-segments.png"
    (studio.folder / "mask.png").rename(mask)
    (studio.folder / "link.png").symlink_to(mask)
    (studio.folder / "twin.png").hardlink_to(mask)
    before = mask.read_bytes()
    use = "{use: mask, path: photo-segments.png}"
    assert_refused(segment(use=use), "photo-segments.png", "is read")
    for name in ("link.png", "twin.png", f"../{studio.folder.name}/photo-segments.png"):
        assert_refused(segment("-o", name, use=use), name, "is read")
        assert mask.read_bytes() == before
    assert_refused(
        segment("-o", "photo-segments.png", use="{use: mask, path: link.png}"), "is read"
    )
    assert mask.read_bytes() == before


def test_an_earlier_overlay_is_replaced(studio: Studio, segment: Segment) -> None:
    overlay = studio.folder / "photo-segments.png"
    assert segment().status == 0
    first = overlay.read_bytes()
    save(studio.folder / "mask.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    assert segment().status == 0
    assert overlay.read_bytes() != first
