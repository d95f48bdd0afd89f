"""``choose_from`` and ``ranker`` in a spec: what is accepted, and what is wrong in plain words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from instyle_core.config.plan import load_plan
from instyle_core.errors import SpecError
from tests.core.helpers.studio import Studio, save


@pytest.fixture
def folder(studio: Studio) -> Path:
    """What a folder of style pictures may look like."""
    folder = studio.folder / "styles"
    (folder / "within.png").mkdir(parents=True)
    for name in ("b.PNG", "a.png", "c.jpg"):
        save(folder / name, np.full((8, 8, 3), 90, np.uint8))
    for name in (".hidden.png", "notes.txt", "no-suffix", "png"):
        (folder / name).write_text("no picture")
    save(folder / "within.png" / "deep.png", np.zeros((8, 8), np.uint8))
    return folder


def test_its_pictures_are_inputs_by_name(studio: Studio, folder: Path) -> None:
    plan = studio.plan(style={"choose_from": "styles"})
    style = plan.objects[0].style
    assert style.choose_from is not None
    assert style.choose_from.path == folder
    assert [path.name for path in style.choose_from.pictures] == ["a.png", "b.PNG", "c.jpg"]
    assert set(style.choose_from.pictures) < set(plan.inputs)
    assert folder not in plan.inputs


def test_the_ranker_that_is_left_out_is_affinity(studio: Studio, folder: Path) -> None:
    plan = studio.plan(style={"choose_from": "styles"})
    ranker = plan.objects[0].style.ranker
    assert ranker is not None
    assert (ranker.plugin.kind, ranker.plugin.name) == ("ranker", "affinity")
    assert ranker in plan.uses
    assert "vgg19" in plan.extractors
    assert "vgg19-oxford" in [weights.name for weights in plan.pretrained]


def test_pictures_have_no_ranker(studio: Studio) -> None:
    plan = studio.plan()
    assert plan.objects[0].style.ranker is None
    assert {use.plugin.kind for use in plan.uses} == {"segmenter", "loss", "merger"}


@pytest.mark.parametrize("ranker", ["near", {"use": "near", "extractor": "pixels"}])
def test_a_dump_is_a_spec_with_the_same_meaning(
    studio: Studio, folder: Path, ranker: Any, tmp_path: Path
) -> None:
    plan = studio.plan(style={"choose_from": "styles", "ranker": ranker})
    dumped = plan.dump()
    assert dumped["style"]["choose_from"] == str(folder)
    assert dumped["style"]["ranker"]["use"] == "near"
    assert "images" not in dumped["style"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "spec.json").write_text(json.dumps(dumped))
    again = load_plan(elsewhere / "spec.json")
    assert again.dump() == dumped
    assert set(again.inputs) == set(plan.inputs)


def test_a_ranker_brings_its_extractor_and_weights(studio: Studio, folder: Path) -> None:
    ranker = {"use": "near", "extractor": "pixels", "weights": True}
    plan = studio.plan(style={"choose_from": "styles", "ranker": ranker})
    assert set(plan.extractors) == {"pixels"}
    assert [weights.name for weights in plan.pretrained] == ["toy-missing"]


@pytest.mark.parametrize("objects", [None, [{}]])
def test_objects_may_choose_on_their_own(
    studio: Studio, folder: Path, objects: list[dict[str, Any]] | None
) -> None:
    style = {"choose_from": "styles", "ranker": "near"}
    if objects is None:
        plan = studio.plan(objects=None, style=style)
        item = plan.whole
    else:
        plan = studio.plan(objects=[{"style": style}], style=None)
        (item,) = plan.objects
    assert item is not None
    assert item.style.ranker is not None
    assert item.style.ranker in plan.uses


def test_what_cannot_be_read_is_no_input(studio: Studio, folder: Path) -> None:
    """It is passed over later; it must not keep the run from beginning."""
    (folder / "aa.png").symlink_to(studio.folder / "nowhere.png")
    plan = studio.plan(style={"choose_from": "styles"})
    chosen = plan.objects[0].style.choose_from
    assert chosen is not None
    assert folder / "aa.png" in chosen.pictures
    assert folder / "aa.png" not in plan.inputs


EMPTY = "the folder is empty: {styles}; put style pictures into it"
NONE = "there are no pictures in this folder (subfolders are not searched): {styles}"


@pytest.mark.parametrize(
    ("key", "style", "what"),
    [
        ("choose_from", {"choose_from": "nowhere"}, "there is no such folder: {folder}/nowhere"),
        ("choose_from", {"choose_from": "style.png"}, "this is a file, not a folder: {folder}/sty"),
        ("choose_from", {"choose_from": 3}, "should be the name of a folder; it is 3"),
        ("choose_from", {"choose_from": ["styles"]}, "should be the name of a folder; it is ["),
        ("", {"choose_from": None}, "missing key 'images', or 'choose_from' with a folder"),
        ("", {"scale": 2}, "missing key 'images', or 'choose_from' with a folder"),
        (
            "",
            {"choose_from": "styles", "images": ["style.png"]},
            "there are both 'images' and 'choose_from'; keep one of them",
        ),
        (
            "",
            {"choose_from": "styles", "weights": [1]},
            "'weights' is of no use without 'images'",
        ),
        (
            "",
            {"images": ["style.png"], "ranker": "near"},
            "'ranker' is of no use without 'choose_from'",
        ),
        (
            "ranker",
            {"choose_from": "styles", "ranker": "neer"},
            "no ranker is called 'neer'; did you mean 'near'?",
        ),
        (
            "ranker.use",
            {"choose_from": "styles", "ranker": {"use": "tint"}},
            "no ranker is called 'tint'",
        ),
        (
            "ranker.layers.0",
            {"choose_from": "styles", "ranker": {"use": "affinity", "layers": ["relu9_1"]}},
            "the extractor 'vgg19' has no layer 'relu9_1'",
        ),
        (
            "ranker",
            {"choose_from": "styles", "ranker": {"use": "affinity", "color": 0, "features": 0}},
            "both weights are 0; give at least one above 0",
        ),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(
    studio: Studio, folder: Path, key: str, style: Any, what: str
) -> None:
    with pytest.raises(SpecError) as caught:
        studio.plan(style=style)
    (problem,) = caught.value.problems
    place = f"style.{key}" if key else "style"
    assert problem.what.startswith(f"{place}: {what.format(folder=studio.folder)}")


@pytest.mark.parametrize(
    ("files", "what"),
    [([], EMPTY), (["notes.txt", "movie.mp4"], NONE), ([".hidden.png"], NONE)],
)
def test_a_folder_without_pictures(studio: Studio, files: list[str], what: str) -> None:
    styles = studio.folder / "styles"
    (styles).mkdir()
    for name in files:
        (styles / name).write_text("no picture")
    with pytest.raises(SpecError) as caught:
        studio.plan(style={"choose_from": "styles"})
    (problem,) = caught.value.problems
    assert problem.what.startswith(f"style.choose_from: {what.format(styles=styles)}")
    assert ".png" in problem.what


def test_the_output_must_not_be_one_of_them(studio: Studio, folder: Path) -> None:
    with pytest.raises(SpecError, match="the spec reads this picture"):
        studio.plan(style={"choose_from": "styles"}, output="styles/a.png")


def test_the_output_must_not_become_one_of_them(studio: Studio, folder: Path) -> None:
    """Another run of the same spec, or the rest of this one, would find another folder."""
    for objects in ([{}], [{"style": {"choose_from": "styles"}}]):
        with pytest.raises(SpecError, match="the next run would take this picture for a style"):
            studio.plan(style={"choose_from": "styles"}, objects=objects, output="styles/new.png")
