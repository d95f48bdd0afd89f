"""What has been done is known by its content, not by names, places or times."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from instyle_core import is_done
from instyle_core.config.plan import load_plan
from instyle_core.events import Step
from instyle_core.runs import hidden
from instyle_core.runs import record as records
from tests.core.helpers.interrupted import changes, interrupt
from tests.core.helpers.studio import Studio, noise, save


def test_a_plan_is_done_once_it_was_run(studio: Studio) -> None:
    plan = studio.plan()
    assert not is_done(plan)
    studio.run()
    assert is_done(plan)
    assert is_done(studio.plan(output="out.png"))  # read anew


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"losses": [{"use": "tint", "weight": 2}]},
        {"objects": [{"color": "content"}]},
        {"objects": None},
        {"size": 65},
        {"segmenter": {"use": "stencil", "path": "photo.png"}},
    ],
    ids=str,
)
def test_another_spec_is_not_done(studio: Studio, change: dict[str, Any]) -> None:
    studio.run()
    assert not is_done(studio.plan(**change))


@pytest.mark.parametrize("name", ["photo.png", "style.png", "mask.png"])
def test_other_content_is_not_done_and_other_times_are(studio: Studio, name: str) -> None:
    studio.run()
    plan = studio.plan()
    path = studio.folder / name
    os.utime(path, (1, 1))
    assert is_done(plan)
    before = path.read_bytes()
    save(path, noise(seed=5)[..., 0] if name == "mask.png" else noise(seed=5))
    assert not is_done(plan)
    path.write_bytes(before)
    assert is_done(plan)


def test_files_that_were_moved_or_renamed_are_the_same(studio: Studio, tmp_path: Path) -> None:
    studio.run()
    other = tmp_path / "elsewhere"
    shutil.copytree(studio.folder, other)
    moved = Studio(other)
    assert is_done(moved.plan())
    os.replace(other / "photo.png", other / "renamed.png")
    os.replace(other / "style.png", other / "painting.png")
    assert is_done(moved.plan(content="renamed.png", style="painting.png"))


def test_one_file_instead_of_another_is_not_the_same(studio: Studio) -> None:
    save(studio.folder / "other.png", noise(24, 32, seed=8))
    studio.run()
    shutil.copy(studio.folder / "photo.png", studio.folder / "kept.png")
    shutil.copy(studio.folder / "style.png", studio.folder / "photo2.png")
    # The same set of files, in each other's places.
    assert not is_done(studio.plan(content="photo2.png", style="kept.png"))


def test_without_the_picture_or_its_record_it_is_not_done(studio: Studio) -> None:
    result = studio.run()
    plan = studio.plan()
    kept = result.output.read_bytes()
    result.output.unlink()
    assert not is_done(plan)
    result.output.write_bytes(kept)
    path = result.folder / "run.json"
    told = json.loads(path.read_text())
    for wrong in ("", "[", "[]", "null", json.dumps({**told, "fingerprint": None})):
        path.write_text(wrong)
        assert not is_done(plan)
    path.write_text(json.dumps(told))
    assert is_done(plan)
    del told["fingerprint"]  # of an earlier version
    path.write_text(json.dumps(told))
    assert not is_done(plan)


def test_another_device_is_the_same(studio: Studio) -> None:
    """A batch gives a photo to whatever device is free."""
    studio.run(device="cpu")
    assert is_done(studio.plan(device="auto"))
    assert is_done(studio.plan(device="cuda:1"))


def test_a_run_that_died_while_it_published_is_done(studio: Studio) -> None:
    result = studio.run()
    folder = result.folder
    dead = folder.with_name(f"{hidden._prefix(folder)}dead")
    folder.rename(dead)  # the picture was in its place already
    assert is_done(studio.plan())
    assert (folder / "run.json").is_file()
    assert not dead.exists()
    dead.mkdir()  # died before its first checkpoint, and another one ended since
    assert is_done(studio.plan())
    assert not dead.exists()


def test_an_interrupted_run_is_not_done(studio: Studio) -> None:
    plan = studio.plan(**changes(studio))
    interrupt(plan, 0, 5)
    assert not is_done(plan)


def test_other_versions_are_not_done(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.run()
    plan = studio.plan()
    version = records.version
    monkeypatch.setattr(records, "version", lambda name: version(name) + ("+x" * (name == "torch")))
    assert not is_done(plan)


def test_a_run_may_go_on_if_there_is_something_to_go_on_from(studio: Studio) -> None:
    plan = studio.plan(**changes(studio))
    steps: list[int] = []

    def count(event: Any) -> None:
        steps.extend([event.step] if isinstance(event, Step) else [])

    from instyle_core import run

    interrupt(plan, 0, 5)
    run(plan, count, resume="if possible")
    assert steps == [*range(6, 11), *range(1, 11)]
    assert is_done(plan)
    steps.clear()
    run(plan, count, resume="if possible")  # it is finished: once more
    assert steps == [*range(1, 11)] * 2
    other = load_plan(studio.spec(seed=3, **changes(studio)))
    interrupt(plan, 0, 5)
    steps.clear()
    run(other, count, resume="if possible")  # of another spec: from the beginning
    assert steps == [*range(1, 11)] * 2
