"""The mask and the cutout that ``instyle segment`` writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from instyle_core.images.masks import read_mask
from instyle_core.images.picture import read_picture
from instyle_core.interfaces.pictures import Mask
from instyle_core.objects.find import find_object
from tests.core.helpers.segments import SEVERAL, Segment, assert_refused
from tests.core.helpers.studio import HEIGHT, WIDTH, Studio, listing, noise, read, rectangle, save

#: A soft mask, refined: the refiner shifts it.
SOFT = "{use: stencil, path: mask.png, name: object, refine: {use: shift, pixels: 3}}"


def soft_mask(studio: Studio) -> None:
    gray = np.zeros((HEIGHT, WIDTH), np.float64)
    gray[5:35, 8:50] = np.linspace(0, 255, 42).round()
    save(studio.folder / "mask.png", gray.astype(np.uint8))


def found(studio: Studio, photo: str, segmenter: object, **select: object) -> Mask:
    """The mask that a run has, by way of a spec."""
    plan = studio.plan(content=photo, segmenter=segmenter, objects=[{"select": select}])
    (item,) = plan.objects
    return find_object(read_picture(studio.folder / photo), item.segmenter, item.select)


def assert_same(mask: Mask, again: Mask) -> None:
    assert np.array_equal(mask.decision.numpy(), again.decision.numpy())
    away = (mask.probability - again.probability).abs().max()
    assert float(away) <= 1 / 255


def test_the_mask_of_a_run_comes_back(studio: Studio, segment: Segment) -> None:
    soft_mask(studio)
    done = segment("--mask", "m.png", "--point", "45,20", use=SOFT)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "m.png"
    assert not (studio.folder / "photo-segments.png").exists()
    with Image.open(studio.folder / "m.png") as written:
        assert (written.mode, written.size) == ("L", (WIDTH, HEIGHT))
    refine = {"use": "shift", "pixels": 3}
    segmenter = {"use": "stencil", "path": "mask.png", "name": "object", "refine": refine}
    first = found(studio, "photo.png", segmenter, point=[45, 20])
    assert 0 < float(first.decision.mean()) < 1
    assert len(first.probability.unique()) > 20
    assert_same(first, found(studio, "photo.png", {"use": "mask", "path": "m.png"}))


def test_the_mask_of_a_photo_that_lies_on_its_side(studio: Studio, segment: Segment) -> None:
    """It is that of the upright photo, as `mask` has it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(WIDTH, HEIGHT)).save(studio.folder / "side.png", exif=exif)
    soft_mask(studio)
    assert segment("--mask", "m.png", "--cutout", "c.png", image="side.png").status == 0
    mask, cutout = read(studio.folder / "m.png"), read(studio.folder / "c.png")
    upright = noise(WIDTH, HEIGHT).swapaxes(0, 1)[:, ::-1]
    assert mask.shape == (HEIGHT, WIDTH)
    assert np.array_equal(cutout[..., :3], upright)
    assert np.array_equal(cutout[..., 3] >= 128, mask >= 128)
    segmenter = {"use": "stencil", "path": "mask.png", "name": "object"}
    first = found(studio, "side.png", segmenter)
    assert_same(first, found(studio, "side.png", {"use": "mask", "path": "m.png"}))


@pytest.mark.usefixtures("several")
def test_without_a_selection_it_is_the_largest_as_in_a_run(
    studio: Studio, segment: Segment
) -> None:
    done = segment("--mask", "m.png", "--json")
    assert "3 separate regions fit; taking the largest" in done.err
    document = json.loads(done.out)
    assert document["mask"] == "m.png"
    assert "overlay" not in document
    (row,) = (row for row in document["objects"] if row["selected"])
    assert row["box"] == list(SEVERAL[1])
    assert np.array_equal(read(studio.folder / "m.png"), rectangle(SEVERAL[1]))


@pytest.mark.usefixtures("several")
def test_all_of_several_together(studio: Studio, segment: Segment) -> None:
    done = segment("--mask", "m.png", "--instance", "all", "-o", "seen.png")
    assert done.out.splitlines()[-2:] == ["seen.png", "m.png"]
    mask = np.max([rectangle(box) for box in SEVERAL], axis=0)
    assert np.array_equal(read(studio.folder / "m.png"), mask)
    assert (studio.folder / "seen.png").exists()


def test_a_cutout_has_the_photos_own_pixels_and_profile(studio: Studio, segment: Segment) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = np.dstack([noise(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    photo[:, 30:, 3] = 100
    Image.fromarray(photo).save(studio.folder / "photo.png", icc_profile=profile)
    soft_mask(studio)
    assert segment("--cutout", "c.png").status == 0
    with Image.open(studio.folder / "c.png") as written:
        cutout = np.asarray(written)
        assert written.mode == "RGBA"
        assert written.info["icc_profile"] == profile
    assert np.array_equal(cutout[..., :3], photo[..., :3])
    alpha = read(studio.folder / "mask.png") / 255 * (photo[..., 3] / 255)
    assert np.abs(cutout[..., 3] / 255 - alpha).max() <= 1 / 255


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mask", "m.jpg"], ["m.jpg", "gray PNG", "name it .png"]),
        (["--mask", "m"], ["suffix"]),
        (["--cutout", "c.jpg"], ["c.jpg", "JPEG cannot hold the transparency"]),
        (["--cutout", "c.gif"], ["'.gif' names no picture format"]),
        (["--mask", "no/m.png"], ["there is no folder no"]),
        (["--mask", "mask.png"], ["mask.png: this is read", "--mask"]),
        (["--cutout", "photo.png"], ["photo.png: this is read", "--cutout"]),
        (["--mask", "a.png", "--cutout", "./a.png"], ["two files of this name"]),
        (["--mask", "a.png", "-o", "a.png"], ["two files of this name"]),
        (["--mask", "m.png", "--point", "1,1"], ["no object was found at the point [1, 1]"]),
    ],
)
def test_nothing_is_written_that_should_not_be(
    studio: Studio, segment: Segment, options: list[str], words: list[str]
) -> None:
    before = listing(studio.folder)
    assert_refused(segment(*options), *words)
    assert listing(studio.folder) == before


def test_what_cannot_be_written_is_told_before_the_photo_is_read(
    studio: Studio, segment: Segment
) -> None:
    (studio.folder / "photo.png").write_text("no picture")
    assert_refused(segment("--cutout", "c.jpg"), "JPEG cannot hold")


def test_masks_made_of_written_ones(studio: Studio, segment: Segment, tmp_path: Path) -> None:
    for name, box in (("a", (2, 2, 22, 22)), ("b", (12, 2, 32, 22)), ("c", (2, 12, 60, 44))):
        save(studio.folder / f"{name}.png", rectangle(box))
    use = "{use: mask, path: a.png, add: [b.png], subtract: [c.png]}"
    assert segment("--mask", "m.png", use=use).status == 0
    mask = read_mask(tmp_path / "m.png", (HEIGHT, WIDTH))[0].numpy() * 255
    assert np.array_equal(mask, rectangle((2, 2, 32, 12)))
    before = listing(studio.folder)
    assert_refused(segment("--mask", "c.png", use=use), "c.png: this is read")
    assert listing(studio.folder) == before
