"""Looking at photos again and again: what is kept, what is wrong; results as by the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instyle_core.errors import InputError, SpecError
from instyle_core.events import Event, Note
from instyle_core.images.masks import write_object_mask
from instyle_core.look import Look
from instyle_core.plugin.use import Use
from tests.core.helpers.commands import Command
from tests.core.helpers.studio import BOX, Studio, noise, rectangle, save

STENCIL = {"use": "stencil", "path": "mask.png"}


@pytest.fixture
def look(studio: Studio) -> Look:
    return Look(studio.folder)


def test_an_object_is_the_one_that_the_command_finds(
    studio: Studio, look: Look, instyle: Command
) -> None:
    boxes = [(5, 5, 25, 20), (35, 25, 50, 40)]
    save(studio.folder / "mask.png", np.max([rectangle(box) for box in boxes], axis=0))
    photo = studio.folder / "photo.png"
    use = json.dumps({**STENCIL, "path": str(studio.folder / "mask.png")})
    for asked, options in (
        ({}, []),
        ({"points": [[40, 30]]}, ["--point", "40,30"]),
        ({"instance": "all"}, ["--instance", "all"]),
        ({"instance": 1}, ["--instance", "1"]),
    ):
        rows, mask = look.find(photo, asked, STENCIL)
        target = studio.folder / "command.png"
        done = instyle("segment", photo, "--use", use, *options, "--mask", target, "--json")
        assert json.loads(done.out)["objects"] == rows
        write_object_mask(studio.folder / "own.png", mask)
        assert (studio.folder / "own.png").read_bytes() == target.read_bytes()
    everything = [*look.everything(photo, STENCIL)]
    assert [row["box"] for row, _ in everything] == [[*box] for box in boxes]
    for (_, mask), box in zip(everything, boxes, strict=True):
        np.testing.assert_array_equal(mask.decision[0].numpy() * 255, rectangle(box))


def test_networks_and_the_photo_are_kept(
    studio: Studio, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    create = Use._create

    def counted(use: Use) -> Any:
        made.append(use.plugin.name)
        return create(use)

    monkeypatch.setattr(Use, "_create", counted)
    photo = studio.folder / "photo.png"
    first = look.picture(photo)
    for x in (25, 26, 27):
        look.find(photo, {"points": [[x, 20]]}, STENCIL)
    assert made == ["stencil"]
    look.find(photo, {}, {**STENCIL, "path": str(studio.folder / "mask.png")})
    assert made == ["stencil"]  # the same parameters
    assert look.picture(photo) is first
    other = save(studio.folder / "other.png", noise(seed=3))
    assert look.picture(other) is not first


def test_two_segmentations_of_the_photo_are_kept(
    studio: Studio, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large photo, each takes much memory."""
    asked: list[int] = []
    segmenter = type(look._resolve("segmenter", STENCIL).create())
    segment = segmenter.segment

    def counted(self: Any, image: Any, prompt: Any) -> Any:
        asked.append(prompt.points[0][0])
        return segment(self, image, prompt)

    monkeypatch.setattr(segmenter, "segment", counted)
    for x in (25, 26, 25, 26, 27, 26, 25):
        look.find(studio.folder / "photo.png", {"points": [[x, 20]]}, STENCIL)
    assert asked == [25, 26, 27, 25]


def test_the_default_segmenters_are_loaded_beforehand(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(Use, "_create", lambda use: made.append(use.plugin.name))
    look.load()
    assert made == ["fcn8s", "click"]


def test_a_refiner_of_choice(studio: Studio, look: Look) -> None:
    photo = studio.folder / "photo.png"
    moved, _ = look.find(photo, {}, STENCIL, {"use": "shift", "pixels": 4})
    x0, y0, x1, y1 = BOX
    assert moved[0]["box"] == [x0 + 4, y0, x1 + 4, y1]
    plain, _ = look.find(photo, {}, {**STENCIL, "refine": "shift"}, "none")
    assert plain[0]["box"] == [*BOX]


def test_styles_are_rated_as_by_the_command(studio: Studio, look: Look, instyle: Command) -> None:
    folder = studio.folder / "styles"
    folder.mkdir()
    pictures = [save(folder / f"{n}.png", noise(20, 30, seed=n) // (n + 1)) for n in range(4)]
    (folder / "x.png").write_text("no picture")
    photo = studio.folder / "photo.png"
    ranker = {"use": "near"}
    found = look.rank(photo, studio.folder / "mask.png", [*pictures, folder / "x.png"], ranker)
    use = json.dumps({**STENCIL, "path": str(studio.folder / "mask.png")})
    done = instyle("style", "rank", photo, folder, "--segmenter", use, "--use", "near", "--json")
    expected = {Path(r["picture"]): r["score"] for r in json.loads(done.out)["ranking"]}
    assert [*found] == [*expected]
    assert found == pytest.approx(expected)
    whole = look.rank(photo, None, pictures, ranker)
    assert {*whole} == {*pictures}


def test_notes_are_told(studio: Studio) -> None:
    told: list[Event] = []
    boxes = [(5, 5, 25, 20), (35, 25, 50, 40)]
    save(studio.folder / "mask.png", np.max([rectangle(box) for box in boxes], axis=0))
    Look(studio.folder, on_event=told.append).find(studio.folder / "photo.png", {}, STENCIL)
    assert ["2 separate regions" in e.message for e in told if isinstance(e, Note)] == [True]


@pytest.mark.parametrize(
    ("asked", "segmenter", "refiner", "where"),
    [
        ({"klass": 1}, None, None, "select.klass"),
        ({"box": [1, 2]}, None, None, "select.box"),
        ({}, {"use": "stencil"}, None, "segmenter.path"),
        ({}, "stencl", None, "segmenter.use"),
        ({}, STENCIL, "shft", "refiner.use"),
        ({}, "click", None, "select"),
        ({"class": "unicorn"}, "fcn8s", None, "select.class"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    studio: Studio, look: Look, asked: Any, segmenter: Any, refiner: Any, where: str
) -> None:
    with pytest.raises(SpecError) as caught:
        look.find(studio.folder / "photo.png", asked, segmenter, refiner)
    assert where in [problem.where for problem in caught.value.problems]


def test_a_photo_that_is_too_large(studio: Studio) -> None:
    with pytest.raises(InputError, match="megapixels"):
        Look(studio.folder, max_megapixels=0.001).find(studio.folder / "photo.png", {}, STENCIL)
