"""Several objects in one photo: whose pixel is whose, and each with its own everything."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from instyle_core import pipeline
from instyle_core.errors import SpecError
from instyle_core.events import Event, Note
from instyle_core.objects.find import FoundObject
from instyle_core.painting.crop import Crop
from tests.core.helpers.studio import HEIGHT, WIDTH, Studio, rectangle, save

Box = tuple[int, int, int, int]

#: Three objects, each of which overlaps the other two; one pixel is common to all.
BOXES: tuple[Box, ...] = ((8, 6, 34, 26), (26, 12, 52, 38), (18, 20, 40, 42))

COLORS = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

#: Enough for every pixel to become what its loss wants.
WELL = {"use": "adam", "steps": 40, "scales": 1, "learning_rate": 0.1}

MERGERS: list[dict[str, Any]] = [
    {"use": "hard"},
    {"use": "feather", "width": 8},
    {"use": "feather", "width": 3},
]


def objects(studio: Studio, mergers: list[dict[str, Any]] = MERGERS) -> list[dict[str, Any]]:
    found = []
    for number, (box, color) in enumerate(zip(BOXES, COLORS, strict=True)):
        save(studio.folder / f"{number}.png", rectangle(box))
        found.append(
            {
                "segmenter": {"use": "stencil", "path": f"{number}.png"},
                "losses": [{"use": "tint", "color": color}],
                "merger": mergers[number],
            }
        )
    return found


def territories() -> list[np.ndarray]:
    """The pixels of each: what an earlier one of the spec has is not a later one's."""
    free = np.ones((HEIGHT, WIDTH), bool)
    found = []
    for box in BOXES:
        inside = rectangle(box) > 0
        found.append(inside & free)
        free &= ~inside
    return found


def watch_crops(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Box, torch.Tensor]]:
    """The boxes and the painted pixels of each object, as the pipeline hands them on."""
    seen: list[tuple[Box, torch.Tensor]] = []
    merge = pipeline.merge

    def watched(found: FoundObject, crop: Crop, picture: torch.Tensor) -> Any:
        seen.append((found.box, crop.paints))
        return merge(found, crop, picture)

    monkeypatch.setattr(pipeline, "merge", watched)
    return seen


def test_three_objects_that_overlap_with_three_styles_and_mergers(studio: Studio) -> None:
    studio.run(objects=objects(studio), optimizer=WELL)
    output = studio.output.astype(float)
    for reach, color, own in zip((0, 4, 2), COLORS, territories(), strict=True):
        # Beyond the merger's transition, the color is the object's own.
        deep = distance_transform_edt(own) > reach
        assert deep.any()
        expected = np.broadcast_to(np.array(color) * 255, output[deep].shape)
        np.testing.assert_allclose(output[deep], expected, atol=3)


def test_no_pixel_is_painted_twice(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watch_crops(monkeypatch)
    studio.run(objects=objects(studio), optimizer=WELL)
    count = np.zeros((HEIGHT, WIDTH))
    for (x0, y0, x1, y1), paints in seen:
        count[y0:y1, x0:x1] += paints[0].numpy()
    assert len(seen) == 3
    assert count.max() == 1
    own = np.logical_or.reduce(territories())
    assert (count[own] == 1).all()  # and none of an object's own is left out
    band = (count == 1) & ~own
    assert band.any()  # feather's, around the objects
    np.testing.assert_array_equal(studio.output[count == 0], studio.photo[count == 0])


def test_later_objects_leave_earlier_ones_alone(studio: Studio) -> None:
    every = objects(studio)
    studio.run(objects=every, optimizer=WELL)
    together = studio.output
    studio.run(objects=every[:1], optimizer=WELL)
    first = territories()[0]
    np.testing.assert_array_equal(together[first], studio.output[first])


def test_the_order_of_the_spec_decides(studio: Studio) -> None:
    hard = objects(studio, [{"use": "hard"}] * 3)
    studio.run(objects=list(reversed(hard)), optimizer=WELL)
    common = np.logical_and.reduce([rectangle(box) > 0 for box in BOXES])
    assert common.any()
    expected = np.broadcast_to(np.array(COLORS[2]) * 255, studio.output[common].shape)
    np.testing.assert_allclose(studio.output[common], expected, atol=3)


def test_a_note_tells_how_much_of_an_object_earlier_ones_cover(studio: Studio) -> None:
    notes: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, Note):
            notes.append(event.message)

    studio.run(watch, objects=objects(studio))
    whole = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in BOXES]
    shares = [1 - own.sum() / area for own, area in zip(territories(), whole, strict=True)]
    assert notes == [
        f"objects.{number}: earlier objects cover {shares[number]:.1%} of it" for number in (1, 2)
    ]


# --- colors --------------------------------------------------------------------------------------


def test_an_object_that_keeps_its_colors_gets_the_luminance_of_its_style(studio: Studio) -> None:
    flat = np.full((HEIGHT, WIDTH, 3), (120, 60, 90), np.uint8)
    save(studio.folder / "photo.png", flat)
    save(studio.folder / "0.png", rectangle(BOXES[0]))
    item = {"segmenter": {"use": "stencil", "path": "0.png"}, "color": "content"}
    gray = {"use": "tint", "color": [0.5, 0.5, 0.5]}
    studio.run(objects=[{**item, "losses": [gray]}], optimizer=WELL)
    inside = rectangle(BOXES[0]) > 0
    luminance = np.array([0.299, 0.587, 0.114])
    # By hand: the same distance is added to each channel.
    expected = flat[0, 0] + (127.5 - flat[0, 0] @ luminance)
    np.testing.assert_allclose(
        studio.output[inside].astype(float), np.tile(expected, (inside.sum(), 1)), atol=3
    )
    np.testing.assert_array_equal(studio.output[~inside], flat[~inside])


def test_the_spec_s_colors_are_those_of_objects_that_do_not_say(studio: Studio) -> None:
    plan = studio.plan(objects=[{}, {"color": "style"}], color={"of": "content", "by": "histogram"})
    assert [item.color.of for item in plan.objects] == ["content", "style"]
    assert plan.objects[0].color.by == "histogram"
    studio.run(objects=[{}], color="content")
    record = json.loads((studio.folder / "out.png.run" / "run.json").read_text())
    assert record["spec"]["color"] == {"of": "content", "by": "luminance"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"color": "loud"}, "should be 'style' or 'content'; it is 'loud'"),
        ({"color": {"by": "histogram"}}, "color: missing key 'of'"),
        (
            {"color": {"of": "content", "by": "hue"}},
            "color.by: should be 'luminance' or 'histogram'",
        ),
        ({"optimizer": {"drop": 5}}, "optimizer.drop: should be a mapping"),
        (
            {"optimizer": {"drop": {"after": 0, "to": 1}}},
            "optimizer.drop.after: should be at least 1",
        ),
        ({"optimizer": {"tolerance": 1}}, "optimizer.tolerance: should be below 1"),
        ({"optimizer": {"use": "lbfgs", "space": "imagenet"}}, "unknown key 'space'"),
    ],
    ids=str,
)
def test_what_a_spec_cannot_say(studio: Studio, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=re.escape(words)):
        studio.plan(**changes)
