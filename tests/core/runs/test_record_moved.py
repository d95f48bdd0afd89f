"""A project that is copied or moved: its records are about the copy."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from instyle_core import pipeline
from instyle_core.config.plan import load_plan
from tests.core.helpers.interrupted import interrupt, tinted
from tests.core.helpers.studio import Studio, listing


def test_a_copy_is_repeated_in_its_own_place(studio: Studio, tmp_path_factory: Any) -> None:
    pipeline.run(studio.plan(**tinted(studio)))
    copy = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(studio.folder, copy)
    before = listing(studio.folder)
    (copy / "out.png").unlink()
    result = pipeline.run(load_plan(copy / "out.png.run" / "run.json"))
    assert result.output == copy / "out.png"
    assert (copy / "out.png").read_bytes() == (studio.folder / "out.png").read_bytes()
    assert listing(studio.folder) == before
    # Once more, from the record of what was repeated.
    assert pipeline.run(load_plan(copy / "out.png.run" / "run.json")).output == copy / "out.png"


def test_an_interrupted_run_goes_on_after_a_move(studio: Studio, tmp_path_factory: Any) -> None:
    plan = studio.plan(**tinted(studio))
    pipeline.run(plan)
    expected = (studio.folder / "out.png").read_bytes()
    interrupt(plan, 1, 2)
    moved = tmp_path_factory.mktemp("moved") / "project"
    shutil.move(studio.folder, moved)
    # The toy's masks are named relative to the spec.
    for spec in (moved / "spec.yaml", moved / "out.png.run" / "run.json"):
        copy = moved.with_name(f"copy-{spec.name}")
        shutil.copytree(moved, copy)
        result = pipeline.run(load_plan(copy / spec.relative_to(moved)), resume=True)
        assert (result.status, result.output) == ("finished", copy / "out.png")
        assert (copy / "out.png").read_bytes() == expected


@pytest.mark.parametrize("at_root", [True, False])
def test_what_is_outside_of_the_project_stays_where_it_is(
    studio: Studio, tmp_path_factory: Any, at_root: bool
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "style.png"
    shutil.move(studio.folder / "style.png", outside)
    plan = studio.plan(style=str(outside))
    result = pipeline.run(plan)
    record = json.loads((result.folder / "run.json").read_text())
    assert record["spec"]["style"]["images"] == [str(outside)]
    assert str(outside) in record["inputs"]
    assert record["spec"]["content"] == "../photo.png"


def test_folders_of_one_project(tmp_path: Path, studio: Studio) -> None:
    """specs/, photos/ and out/ side by side: what they have in common is the project."""
    for name, files in {"photos": ["photo.png", "mask.png"], "art": ["style.png"]}.items():
        (studio.folder / name).mkdir()
        for file in files:
            shutil.move(studio.folder / file, studio.folder / name / file)
    (studio.folder / "out").mkdir()
    spec = studio.spec(
        content="../photos/photo.png",
        style="../art/style.png",
        segmenter={"use": "stencil", "path": "../photos/mask.png"},
        output="../out/out.png",
    )
    (studio.folder / "specs").mkdir()
    moved = shutil.move(spec, studio.folder / "specs" / "spec.yaml")
    result = pipeline.run(load_plan(Path(moved)))
    record = json.loads((result.folder / "run.json").read_text())
    assert record["root"] == "../.."
    assert record["spec"]["content"] == "../../photos/photo.png"
    assert set(record["inputs"]) == {
        "../../photos/photo.png",
        "../../photos/mask.png",
        "../../art/style.png",
    }
    again = pipeline.run(load_plan(result.folder / "run.json"))
    assert json.loads((again.folder / "run.json").read_text())["spec"] == record["spec"]


@pytest.mark.parametrize("root", [5, None, "/", "x" * 5000, ["a"]])
def test_a_record_with_a_strange_root_is_read(studio: Studio, root: Any) -> None:
    result = pipeline.run(studio.plan())
    path = result.folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "root": root}))
    assert load_plan(path).spec.content == Path(os.path.realpath(studio.folder / "photo.png"))
