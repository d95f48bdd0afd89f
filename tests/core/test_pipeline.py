"""From a spec to a picture, end to end, with the toy plugin and with the first-party ones."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from instyle_core import pipeline
from instyle_core.config.plan import load_plan
from instyle_core.errors import InputError, WeightsError
from instyle_core.events import Event, Note, StageStarted
from tests.core.helpers.repainted import BLUE, RED, WELL, assert_repainted, inside, tint
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

# --- what is repainted ----------------------------------------------------------------------------


def test_one_object(studio: Studio) -> None:
    result = studio.run(optimizer=WELL, losses=[tint(BLUE)])
    assert_repainted(studio.output, studio.photo, inside(rectangle(BOX)), BLUE)
    assert result.status == "finished"
    assert result.reason == ""
    assert result.output == studio.folder / "out.png"
    assert result.folder == studio.folder / "out.png.run"
    assert result.seconds > 0


def test_the_whole_picture(studio: Studio) -> None:
    result = studio.run(objects=None, optimizer=WELL, losses=[tint(BLUE)])
    everything = np.ones((HEIGHT, WIDTH), bool)
    assert_repainted(studio.output, studio.photo, everything, BLUE, tolerance=12)
    assert sorted(path.name for path in (result.folder / "picture").iterdir()) == ["stylized.png"]


def test_a_mask_file(studio: Studio) -> None:
    segmenter = {"use": "mask", "path": "mask.png"}
    studio.run(segmenter=segmenter, optimizer=WELL, losses=[tint(RED)])
    assert_repainted(studio.output, studio.photo, inside(rectangle(BOX)), RED)


def test_each_object_has_its_own_style_and_losses_and_the_first_claims_its_pixels(
    studio: Studio,
) -> None:
    first, second, third = (5, 5, 30, 30), (20, 20, 45, 40), (50, 2, 58, 10)
    for name, box in (("a", first), ("b", second), ("c", third)):
        save(studio.folder / f"{name}.png", rectangle(box))
    save(studio.folder / "green.png", np.full((20, 20, 3), (0, 255, 0), np.uint8))
    objects = [
        {"segmenter": {"use": "stencil", "path": "a.png"}, "losses": [tint(BLUE)]},
        {"segmenter": {"use": "stencil", "path": "b.png"}, "losses": [tint(RED)]},
        {
            "segmenter": {"use": "stencil", "path": "c.png"},
            "losses": [{"use": "inks"}],
            "style": "green.png",
        },
    ]
    studio.run(objects=objects, optimizer=WELL)
    a, b, c = (inside(rectangle(box)) for box in (first, second, third))
    rest = b & ~a
    expected = studio.photo
    for where, color in ((a, BLUE), (rest, RED), (c, (0, 255, 0))):
        expected[where] = color
    np.testing.assert_allclose(studio.output.astype(float), expected, atol=3)
    untouched = ~(a | b | c)
    np.testing.assert_array_equal(studio.output[untouched], studio.photo[untouched])
    # The second object's mask is what was left for it.
    mask = read(studio.folder / "out.png.run" / "object-1" / "mask.png")
    np.testing.assert_array_equal(mask > 127, rest)


def test_an_object_that_earlier_ones_cover_is_an_error(studio: Studio) -> None:
    save(studio.folder / "small.png", rectangle((22, 12, 30, 20)))
    objects = [{}, {"segmenter": {"use": "stencil", "path": "small.png"}}]
    with pytest.raises(InputError, match="nothing is left") as caught:
        studio.run(objects=objects)
    assert caught.value.where == "objects.1"
    studio.run(objects=list(reversed(objects)))  # the other way round is fine


@pytest.mark.parametrize("shape", ["full", "one pixel", "border", "corner", "odd"])
def test_masks_of_any_shape(studio: Studio, shape: str) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    match shape:
        case "full":
            mask[:] = 255
        case "one pixel":
            mask[17, 23] = 255
        case "border":
            mask[:, :7] = 255
        case "corner":
            mask[-1, -1] = 255
        case "odd":
            mask[10:30, 20] = mask[20, 5:50] = 255
    save(studio.folder / "mask.png", mask)
    studio.run(optimizer=WELL, size=128)
    # The photo is noise; shrunk and enlarged again, none of it may be left in the object.
    assert_repainted(studio.output, studio.photo, inside(mask), RED, tolerance=12)


def test_an_empty_mask_is_an_error(studio: Studio) -> None:
    save(studio.folder / "mask.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    before = listing(studio.folder)
    with pytest.raises(InputError, match="no object") as caught:
        studio.run()
    assert caught.value.where == "objects.0"
    assert caught.value.hint
    before["spec.yaml"] = (studio.folder / "spec.yaml").read_bytes()
    assert listing(studio.folder) == before


def test_of_many_components_the_largest_or_all(studio: Studio) -> None:
    boxes = [(2, 2, 8, 8), (20, 5, 40, 25), (50, 30, 55, 40), (5, 35, 9, 39)]
    parts = [rectangle(box) for box in boxes]
    save(studio.folder / "mask.png", np.max(parts, axis=0))
    notes = [event for event in studio.events(optimizer=WELL) if isinstance(event, Note)]
    assert len(notes) == 1
    assert "4" in notes[0].message
    assert_repainted(studio.output, studio.photo, inside(parts[1]), RED)
    studio.run(optimizer=WELL, objects=[{"select": {"instance": "all"}}])
    assert_repainted(studio.output, studio.photo, inside(np.max(parts, axis=0)), RED)
    studio.run(optimizer=WELL, objects=[{"select": {"instance": 2}}])
    assert_repainted(studio.output, studio.photo, inside(parts[0]), RED)  # the third by area


def test_what_the_plan_notes_is_told(studio: Studio) -> None:
    told: list[Event] = []
    plan = replace(studio.plan(), notes=("loss 'tint': 'colour' is called 'color' now",))
    pipeline.run(plan, told.append)
    assert [event.message for event in told if isinstance(event, Note)] == [*plan.notes]


def test_a_photo_of_one_pixel(studio: Studio) -> None:
    save(studio.folder / "photo.png", noise(1, 1))
    studio.run(objects=None, optimizer=WELL, losses=[tint(BLUE)])
    assert_repainted(studio.output, studio.photo, np.ones((1, 1), bool), BLUE)
    save(studio.folder / "mask.png", np.full((1, 1), 255, np.uint8))
    studio.run(segmenter={"use": "stencil", "path": "mask.png"}, objects=None)
    assert studio.output.shape == (1, 1, 3)


# --- the same again -------------------------------------------------------------------------------


def test_the_same_spec_gives_the_same_bytes(studio: Studio) -> None:
    losses = [
        {"use": "style", "extractor": "pixels", "layers": ["cells"]},
        {"use": "content", "extractor": "pixels", "layers": ["cells"]},
    ]
    options: dict[str, Any] = {"losses": losses, "start": "noise"}
    studio.run(**options)
    first = (studio.folder / "out.png").read_bytes()
    studio.run(**options)
    assert (studio.folder / "out.png").read_bytes() == first
    studio.run(**options, seed=7)
    assert (studio.folder / "out.png").read_bytes() != first


def test_run_json_repeats_the_run(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    save(studio.folder / "b.png", noise(30, 30, seed=4))
    result = studio.run(
        style={"images": ["style.png", "b.png"], "weights": [1, 2], "scale": 0.5},
        losses=[
            {"use": "style", "extractor": "mine", "layers": ["cells"], "weight": 3},
            {"use": "tv", "weight": 0.5},
        ],
        extractors={"mine": {"use": "pixels"}},
        optimizer={"use": "lbfgs", "steps": 4},
        start="noise",
        seed=11,
        merger={"use": "feather", "width": 3},
        output="first.png",
    )
    first = result.output.read_bytes()
    kept = (result.folder / "object-0" / "stylized.png").read_bytes()
    # In a folder of its own, and from another working directory.
    elsewhere = studio.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = pipeline.run(
        load_plan(result.folder / "run.json", lambda document: document.set("output=second.png"))
    )
    assert again.output == elsewhere / "second.png"
    assert again.output.read_bytes() == first
    assert (again.folder / "object-0" / "stylized.png").read_bytes() == kept
    # In its own place: the folder that the record is in is replaced by the new run's.
    same = pipeline.run(load_plan(result.folder / "run.json"))
    assert same.output == result.output
    assert same.output.read_bytes() == first


def test_run_json_repeats_a_whole_picture(studio: Studio) -> None:
    result = studio.run(objects=None)
    first = result.output.read_bytes()
    result.output.unlink()
    assert pipeline.run(load_plan(result.folder / "run.json")).output.read_bytes() == first


# --- what is missing ------------------------------------------------------------------------------


def test_an_output_that_cannot_hold_the_photo_is_found_out_before_any_work(studio: Studio) -> None:
    opaque = noise()
    save(studio.folder / "photo.png", np.concatenate([opaque, opaque[..., :1]], axis=2))
    events: list[Event] = []
    with pytest.raises(InputError, match="transparency"):
        studio.run(events.append, output="out.jpg")
    assert events == []


def test_missing_weights_are_found_out_before_any_work(studio: Studio) -> None:
    events: list[Event] = []
    plan = studio.plan(
        losses=[{"use": "content", "extractor": "heavy", "layers": ["cells"]}],
    )
    with pytest.raises(WeightsError, match="toy-missing"):
        pipeline.run(plan, events.append)
    assert not any(isinstance(event, StageStarted) and event.stage == "segment" for event in events)
    assert not list(studio.folder.glob("*out*"))


def test_a_device_that_is_not_there(studio: Studio) -> None:
    with pytest.raises(InputError, match="cuda:63"):
        studio.run(device="cuda:63")


@pytest.mark.parametrize("name", ["photo.png", "style.png", "mask.png", "start.png"])
def test_a_damaged_picture_is_named(studio: Studio, name: str) -> None:
    save(studio.folder / "start.png", noise(seed=3))
    whole = (studio.folder / name).read_bytes()
    (studio.folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError) as caught:
        studio.run(start="start.png")
    assert re.search(name, str(caught.value))
    assert not (studio.folder / "out.png").exists()


# --- with the real network ------------------------------------------------------------------------


def test_vgg_takes_over_the_colors_of_a_style(studio: Studio) -> None:
    result = studio.run(
        losses=[
            {"use": "content", "layers": ["relu2_1"]},
            {"use": "style", "layers": ["relu1_1", "relu2_1"], "weight": 10},
            {"use": "laplacian", "weight": 0.1},
            {"use": "tv", "weight": 0.01},
        ],
        optimizer={"use": "adam", "steps": 40, "scales": 2, "learning_rate": 0.05},
        merger={"use": "feather", "width": 4},
    )
    assert result.status == "finished"
    where = inside(rectangle(BOX))
    style = np.array([200, 100, 50])
    before = np.abs(studio.photo[where].mean(axis=0) - style).sum()
    after = np.abs(studio.output[where].mean(axis=0) - style).sum()
    assert after < before / 2
    x0, y0, x1, y1 = BOX
    far = np.ones((HEIGHT, WIDTH), bool)
    far[y0 - 3 : y1 + 3, x0 - 3 : x1 + 3] = False
    np.testing.assert_array_equal(studio.output[far], studio.photo[far])
