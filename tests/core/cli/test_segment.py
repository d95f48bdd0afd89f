"""``instyle segment``: a table or JSON of what was found."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.core.helpers.segments import Segment, assert_refused, objects, selected
from tests.core.helpers.studio import BOX, HEIGHT, WIDTH, Studio, rectangle, save


def area(box: tuple[int, int, int, int]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1]) / HEIGHT / WIDTH


# --- what is printed ------------------------------------------------------------------------------


def test_as_json(studio: Studio, segment: Segment) -> None:
    done = segment("--json")
    assert (done.status, done.err) == (0, "")
    document = json.loads(done.out)
    (found,) = document["objects"]
    assert found["instance"] == 0
    assert found["class"] == "object"
    assert found["box"] == list(BOX)
    assert found["area"] == pytest.approx(area(BOX), abs=1e-4)
    assert found["confidence"] == 1
    assert (studio.folder / document["overlay"]).is_file()


def test_as_a_table(studio: Studio, segment: Segment) -> None:
    done = segment()
    assert (done.status, done.err) == (0, "")
    heading, row, path = (line.split() for line in done.out.splitlines())
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
    assert segment().out.splitlines()[0] == "nothing was found"


@pytest.mark.usefixtures("several")
def test_the_table_says_which_one_is_meant(segment: Segment) -> None:
    done = segment("--instance", "1")
    assert done.status == 0
    heading, *rows, _ = (line.split() for line in done.out.splitlines())
    assert heading[-1] == "selected"
    assert [row[-1] == "yes" for row in rows] == [False, True, False]
    assert [row[1] for row in rows] == ["0", "1", "2"]


def test_a_speck_that_is_pointed_at_is_shown(studio: Studio, segment: Segment) -> None:
    save(studio.folder / "mask.png", rectangle((5, 5, 7, 6)))
    assert objects(segment("--json")) == []
    (found,) = selected(segment("--json", "--point", "5,5"))
    assert found["box"] == [5, 5, 7, 6]


# --- the segmenter --------------------------------------------------------------------------------


@pytest.mark.parametrize(("use", "off"), [("grabcut", 1), (None, 5)])
def test_a_box_alone_is_enough_for_grabcut_and_for_the_default(
    studio: Studio, segment: Segment, use: str | None, off: int
) -> None:
    photo = np.full((HEIGHT, WIDTH, 3), (20, 120, 20), np.uint8)
    photo[10:31, 20:41] = (230, 30, 30)
    save(studio.folder / "photo.png", photo)
    (found,) = objects(segment("--box", "15,5,45,36", "--json", use=use))
    assert np.abs(np.array(found["box"]) - BOX).max() <= off


def test_grabcut_must_be_told_a_box(segment: Segment) -> None:
    assert_refused(segment(use="grabcut"), "box")


def test_a_mask_file_is_one_object(studio: Studio, segment: Segment) -> None:
    save(studio.folder / "mask.png", rectangle(BOX))
    (found,) = objects(segment("--json", use="{use: mask, path: mask.png}"))
    assert found["box"] == list(BOX)
    assert found["confidence"] == 1


@pytest.mark.parametrize("image", ["no-such.png", "broken.png", "."])
def test_a_photo_that_cannot_be_read(studio: Studio, segment: Segment, image: str) -> None:
    (studio.folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    assert_refused(segment(image=image))


def test_a_photo_that_is_too_large(studio: Studio, segment: Segment) -> None:
    assert_refused(segment("--max-megapixels", "0.001"), "megapixels")


def test_a_refined_mask_is_what_is_shown(studio: Studio, segment: Segment) -> None:
    """As a run would repaint it: the toy moves the mask by some pixels."""
    use = "{use: stencil, path: mask.png, name: object, refine: {use: shift, pixels: 3}}"
    (plain,) = objects(segment("--json"))
    (found,) = objects(segment("--json", use=use))
    assert found["box"] != plain["box"]
    assert np.ptp(np.array(found["box"]) - plain["box"]) in (0, 3)
