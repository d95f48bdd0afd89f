"""``instyle segment``: a table or JSON of what was found, and an overlay."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from instyle_core.cli import main
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

#: A semantic segmenter, which cannot tell objects apart.
STENCIL = "{use: stencil, path: mask.png, name: object}"

Found = tuple[int, str, str]
Segment = Callable[..., Found]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.chdir(tmp_path)
    return Studio.open(tmp_path, monkeypatch)


@pytest.fixture
def segment(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Segment:
    """Run the command on photo.png: exit status, standard output and error."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*options: str, image: str = "photo.png", use: str | None = STENCIL) -> Found:
        capsys.readouterr()
        arguments = ["segment", image, *options]
        with pytest.raises(SystemExit) as caught:
            main(arguments if use is None else [*arguments, "--use", use])
        printed = capsys.readouterr()
        assert "\x1b" not in printed.out + printed.err
        assert "Traceback" not in printed.err
        assert "should not happen" not in printed.err
        return int(caught.value.code or 0), printed.out, printed.err

    return run


def objects(found: Found) -> list[dict[str, Any]]:
    status, out, err = found
    assert (status, err) == (0, "")
    listed: list[dict[str, Any]] = json.loads(out)["objects"]
    return listed


def selected(found: Found) -> list[dict[str, Any]]:
    return [row for row in objects(found) if row["selected"]]


def assert_error(found: Found, *words: str) -> None:
    status, out, err = found
    assert (status, out) == (2, "")
    assert err.startswith(("error: ", "Usage: "))
    for word in words:
        assert word in err


def area(box: tuple[int, int, int, int]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1]) / HEIGHT / WIDTH


# --- what is printed ------------------------------------------------------------------------------


def test_as_json(studio: Studio, segment: Segment) -> None:
    status, out, err = segment("--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    (found,) = document["objects"]
    assert found["instance"] == 0
    assert found["class"] == "object"
    assert found["box"] == list(BOX)
    assert found["area"] == pytest.approx(area(BOX), abs=1e-4)
    assert found["confidence"] == 1
    assert (studio.folder / document["overlay"]).is_file()


def test_as_a_table(studio: Studio, segment: Segment) -> None:
    status, out, err = segment()
    assert (status, err) == (0, "")
    heading, row, path = (line.split() for line in out.splitlines())
    assert heading == ["class", "instance", "area", "box", "confidence"]
    corners = ", ".join(map(str, BOX)).split()
    assert row == ["object", "0", f"{area(BOX):.1%}", *corners, "1.00"]
    assert (studio.folder / path[0]).is_file()


def test_objects_are_listed_by_area_without_specks(studio: Studio, segment: Segment) -> None:
    boxes = [(2, 2, 8, 8), (20, 5, 40, 25), (50, 30, 55, 40), (1, 40, 2, 42)]
    save(studio.folder / "mask.png", np.max([rectangle(box) for box in boxes], axis=0))
    found = objects(segment("--json"))
    # Two pixels are less than a thousandth of the picture.
    assert [row["box"] for row in found] == [list(boxes[i]) for i in (1, 2, 0)]
    assert [row["instance"] for row in found] == [0, 1, 2]


def test_confidence_is_the_mean_probability(studio: Studio, segment: Segment) -> None:
    gray = np.zeros((HEIGHT, WIDTH), np.uint8)
    gray[10:20, 10:20] = 200
    gray[10:20, 10:15] = 240
    gray[20:22, 10:20] = 60  # not the object's
    save(studio.folder / "mask.png", gray)
    (found,) = objects(segment("--json"))
    assert found["confidence"] == pytest.approx((200 + 240) / 2 / 255, abs=6e-4)
    assert found["box"] == [10, 10, 20, 20]


def test_the_instances_of_a_segmenter_are_taken_at_its_word(
    studio: Studio, segment: Segment
) -> None:
    mask = np.maximum(rectangle((2, 2, 8, 8)), rectangle((20, 5, 40, 25)))
    save(studio.folder / "mask.png", mask)
    use = "{use: stencil, path: mask.png, instances: true, name: cat}"
    (found,) = objects(segment("--json", use=use))
    assert found["class"] == "cat"
    assert found["confidence"] == 0.75
    assert found["box"] == [2, 2, 40, 25]


def test_nothing_was_found(studio: Studio, segment: Segment) -> None:
    save(studio.folder / "mask.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    assert objects(segment("--json")) == []
    status, out, _ = segment()
    assert status == 0
    assert out.splitlines()[0] == "nothing was found"


# --- pointing -------------------------------------------------------------------------------------


@pytest.fixture
def two(studio: Studio) -> None:
    mask = np.maximum(rectangle((2, 2, 12, 12)), rectangle((20, 5, 50, 25)))
    save(studio.folder / "mask.png", mask)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("options", "box"),
    [
        (["--point", "3,4"], [2, 2, 12, 12]),
        (["--point", "30,10"], [20, 5, 50, 25]),
        (["--box", "0,0,16,44"], [2, 2, 12, 12]),
        (["--box", "30,0,60,10"], [30, 5, 50, 10]),
        (["--class", "object"], [20, 5, 50, 25]),
        (["--class", "object", "--point", "2,2"], [2, 2, 12, 12]),
        (["--box", "0,0,25,20", "--point", "22,7"], [20, 5, 25, 20]),
    ],
)
def test_one_object_by_point_box_and_class(
    segment: Segment, options: list[str], box: list[int]
) -> None:
    (found,) = selected(segment("--json", *options))
    assert found["box"] == box
    assert found["class"] == "object"


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--point", "15,30"], ["no object was found at the point [15, 30]"]),
        (["--point", "60,3"], ["outside", "from 0 to 59"]),
        (["--point", "-1,3"], ["outside"]),
        (["--box", "5,5,5,9"], ["empty"]),
        (["--box", "0,0,61,9"], ["outside"]),
        (["--box", "13,30,19,40"], ["no object was found in the box"]),
        (["--class", "dog"], ["'dog'", "object"]),
        (["--point", "3"], ["'3'", "X,Y"]),
        (["--point", "3,x"], ["'3,x'", "X,Y"]),
        (["--box", "1,2,3"], ["X0,Y0,X1,Y1"]),
    ],
)
def test_wrong_pointers(
    studio: Studio, segment: Segment, options: list[str], words: list[str]
) -> None:
    before = listing(studio.folder)
    assert_error(segment(*options), *words)
    assert_error(segment(*options, "--json"), *words)
    assert listing(studio.folder) == before


# --- the overlay ----------------------------------------------------------------------------------


def test_the_overlay_shows_the_object_in_color_in_a_photo_that_is_grayed(
    studio: Studio, segment: Segment
) -> None:
    save(studio.folder / "photo.png", np.full((HEIGHT, WIDTH, 3), (200, 40, 40), np.uint8))
    before = (studio.folder / "photo.png").read_bytes()
    mask = rectangle((10, 20, 50, 40))
    save(studio.folder / "mask.png", mask)
    _, out, _ = segment()
    assert out.splitlines()[-1] == "photo-segments.png"
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
    status, out, _ = segment("-o", name)
    assert status == 0
    assert out.splitlines()[-1] == name
    assert read(studio.folder / name).shape == (HEIGHT, WIDTH, 3)
    assert not (studio.folder / "photo-segments.png").exists()


@pytest.mark.parametrize("name", ["photo.png", "link.png", "hard.png", "./sub/../photo.png"])
def test_the_photo_is_never_overwritten(studio: Studio, segment: Segment, name: str) -> None:
    (studio.folder / "sub").mkdir()
    (studio.folder / "link.png").symlink_to("photo.png")
    os.link(studio.folder / "photo.png", studio.folder / "hard.png")
    before = listing(studio.folder)
    assert_error(segment("-o", name), "never written")
    assert listing(studio.folder) == before


@pytest.mark.parametrize("name", ["no/where.png", "seen.txt", "."])
def test_an_overlay_that_cannot_be_written(studio: Studio, segment: Segment, name: str) -> None:
    before = listing(studio.folder)
    assert_error(segment("-o", name))
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


# --- the segmenter --------------------------------------------------------------------------------


def test_the_default_segmenter_or_what_it_needs(studio: Studio, segment: Segment) -> None:
    """The default preset's is free to be any; the command works, or says what is missing."""
    photo = np.full((HEIGHT, WIDTH, 3), (20, 120, 20), np.uint8)
    photo[10:31, 20:41] = (230, 30, 30)
    save(studio.folder / "photo.png", photo)
    status, out, err = segment("--box", "15,5,45,36", "--json", use=None)
    assert status in (0, 2, 3)
    if status == 0:
        (found,) = json.loads(out)["objects"]
        assert np.abs(np.array(found["box"]) - BOX).max() <= 2
    else:
        assert err.startswith("error: ")


def test_grabcut_by_its_bare_name(studio: Studio, segment: Segment) -> None:
    photo = np.full((HEIGHT, WIDTH, 3), (20, 120, 20), np.uint8)
    photo[10:31, 20:41] = (230, 30, 30)
    save(studio.folder / "photo.png", photo)
    (found,) = objects(segment("--box", "15,5,45,36", "--json", use="grabcut"))
    assert np.abs(np.array(found["box"]) - BOX).max() <= 1
    assert_error(segment(use="grabcut"), "box")  # it has to be told


def test_a_mask_file_is_one_object(studio: Studio, segment: Segment) -> None:
    save(studio.folder / "mask.png", rectangle(BOX))
    (found,) = objects(segment("--json", use="{use: mask, path: mask.png}"))
    assert found["box"] == list(BOX)
    assert found["confidence"] == 1


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ("stencill", ["'stencil'"]),
        ("vgg19", ["extractor"]),
        ("{use: mask}", ["path"]),
        ("{use: mask, path: no-such.png}", ["path", "no-such.png"]),
        ("{use: mask, path: mask.png, invertt: true}", ["'invert'"]),
        ("{use: grabcut, iterations: 0}", ["iterations", "at least 1"]),
        ("{use: mask, path: mask.png, path: photo.png}", ["twice"]),
        ("3", ["use"]),
        ("[mask]", ["use"]),
        ("", ["use"]),
        ("{path: mask.png}", ["use"]),
        ("{use: [", ["YAML"]),
    ],
)
def test_a_segmenter_that_is_wrong(
    studio: Studio, segment: Segment, use: str, words: list[str]
) -> None:
    assert_error(segment(use=use), "--use", *words)


@pytest.mark.parametrize("image", ["no-such.png", "broken.png", "."])
def test_a_photo_that_cannot_be_read(studio: Studio, segment: Segment, image: str) -> None:
    (studio.folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    assert_error(segment(image=image))


def test_a_photo_that_is_too_large(studio: Studio, segment: Segment) -> None:
    assert_error(segment("--max-megapixels", "0.001"), "megapixels")


# --- which one, and what is there besides ---------------------------------------------------------

PAIR = [(2, 2, 12, 12), (20, 5, 50, 25), (30, 34, 36, 40)]


@pytest.fixture
def several(studio: Studio) -> None:
    save(studio.folder / "mask.png", np.max([rectangle(box) for box in PAIR], axis=0))


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ([], []),
        (["--class", "object"], [1]),
        (["--instance", "0"], [1]),
        (["--instance", "1"], [0]),
        (["--instance", "2"], [2]),
        (["--instance", "largest"], [1]),
        (["--instance", "all"], [1, 0, 2]),
        (["--point", "3,3"], [0]),
        (["--box", "0,0,60,44", "--instance", "2"], [2]),
    ],
)
def test_all_that_fit_are_listed_and_what_is_meant_is_marked(
    segment: Segment, options: list[str], chosen: list[int]
) -> None:
    rows = objects(segment("--json", *options))
    assert [tuple(row["box"]) for row in rows if row["selected"]] == [PAIR[n] for n in chosen]
    pointed = "--point" in options
    assert [row["instance"] for row in rows] == ([0] if pointed else [0, 1, 2])


@pytest.mark.usefixtures("several")
def test_the_table_says_which_one_is_meant(segment: Segment) -> None:
    status, out, _ = segment("--instance", "1")
    assert status == 0
    heading, *rows, _ = (line.split() for line in out.splitlines())
    assert heading[-1] == "selected"
    assert [row[-1] == "yes" for row in rows] == [False, True, False]
    assert [row[1] for row in rows] == ["0", "1", "2"]


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--instance", "3"], ["no instance 3", "3 fit"]),
        (["--instance", "-1"], ["'-1'", "largest"]),
        (["--instance", "second"], ["'second'", "all"]),
    ],
)
def test_no_such_instance(segment: Segment, options: list[str], words: list[str]) -> None:
    assert_error(segment(*options), *words)


def test_a_speck_that_is_pointed_at_is_shown(studio: Studio, segment: Segment) -> None:
    save(studio.folder / "mask.png", rectangle((5, 5, 7, 6)))
    assert objects(segment("--json")) == []
    (found,) = selected(segment("--json", "--point", "5,5"))
    assert found["box"] == [5, 5, 7, 6]


def test_what_is_meant_stands_out(studio: Studio, segment: Segment) -> None:
    save(studio.folder / "photo.png", np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
    save(studio.folder / "mask.png", np.max([rectangle(box) for box in PAIR[:2]], axis=0))
    segment("--instance", "1")
    overlay = read(studio.folder / "photo-segments.png").astype(int)

    def color(x: int, y: int) -> int:
        return int(np.ptp(overlay[y, x]))

    assert color(7, 10) > 2 * color(35, 22) > 0
    assert color(55, 40) == 0


def test_a_refined_mask_is_what_is_shown(studio: Studio, segment: Segment) -> None:
    """As a run would repaint it: the toy moves the mask by some pixels."""
    use = "{use: stencil, path: mask.png, name: object, refine: {use: shift, pixels: 3}}"
    (plain,) = objects(segment("--json"))
    (found,) = objects(segment("--json", use=use))
    assert found["box"] != plain["box"]
    assert np.ptp(np.array(found["box"]) - plain["box"]) in (0, 3)


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
