"""A batch from the command line: what comes of it, and what is wrong before any work."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from instyle_batch import photo as photo_module
from instyle_batch.engines.here import Here
from instyle_batch.job import Outcome, Task, Tell
from instyle_batch.work import Work
from instyle_core import WeightsError
from tests.core.helpers.commands import assert_error
from tests.core.helpers.studio import listing, noise, rectangle, save
from tests.plugins.instyle_batch.conftest import Batch


def test_every_photo_is_painted_as_a_run_would(batch: Batch) -> None:
    top = batch.photos("b.png", "nested/a.png", "x.jpg")
    done = batch.run()
    assert done.status == 0, done.err
    assert done.out == ""
    assert batch.pictures() == {"b.png", "nested/a.png", "x.jpg"}
    for name in batch.pictures():
        alone = batch.folder / f"alone{Path(name).suffix}"
        run = batch.instyle(
            "pipeline", "run", batch.spec(), "-q",
            "--set", f"content={top / name}", "--output", alone,
        )  # fmt: skip
        assert run.status == 0, run.err
        assert (batch.output / name).read_bytes() == alone.read_bytes()
    record = batch.record
    assert record["counts"] == {"done": 3, "missing": 0}
    assert [row["name"] for row in record["photos"]] == ["b.png", "x.jpg", "nested/a.png"]
    assert record["photos"][0]["photo"] == str(top / "b.png")
    assert record["spec"] == str(batch.folder / "spec.yaml")
    assert "3 done" in done.err


def test_what_is_done_is_skipped(batch: Batch) -> None:
    batch.photos("a.png", "b.png")
    batch.run()
    before = listing(batch.output)
    done = batch.run("--json")
    assert batch.statuses == {"a.png": "skipped", "b.png": "skipped"}
    assert done.status == 0
    after = listing(batch.output)
    changed = {name for name in {**before, **after} if before.get(name) != after.get(name)}
    assert changed == {"batch.json", "batch.html"}
    # One photo is another now, one is new, and the spec is the same.
    save(batch.folder / "photos" / "a.png", noise(seed=77))
    batch.photos("c.png")
    batch.run()
    assert batch.statuses == {"a.png": "done", "b.png": "skipped", "c.png": "done"}
    batch.run(spec=batch.spec(seed=4))
    assert {*batch.statuses.values()} == {"done"}
    batch.run("--set", "seed=4")
    assert {*batch.statuses.values()} == {"skipped"}
    batch.run("--set", "seed=4", "--again")
    assert {*batch.statuses.values()} == {"done"}


def test_each_photo_stands_alone(batch: Batch) -> None:
    top = batch.photos("a.png", "c.png")
    (top / "b.png").write_bytes(b"no picture")
    (top / "cut.png").write_bytes((top / "a.png").read_bytes()[:1000])
    done = batch.run("--json")
    assert done.status == 1
    assert batch.statuses == {
        "a.png": "done", "b.png": "failed", "c.png": "done", "cut.png": "failed",
    }  # fmt: skip
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["name"] for row in rows] == [*batch.statuses]
    reasons = {row["name"]: row["reason"] for row in rows}
    assert "not a picture" in reasons["b.png"]
    assert str(top / "b.png") in reasons["b.png"]
    assert str(top / "cut.png") in reasons["cut.png"]
    assert reasons["a.png"] == ""
    assert batch.pictures() == {"a.png", "c.png"}
    assert "failed: b.png" in done.err
    page = (batch.output / "batch.html").read_text()
    assert page.index("b.png") < page.index("a.png")  # failures first
    assert "not a picture" in page


def test_fail_fast(batch: Batch) -> None:
    top = batch.photos("a.png", "c.png")
    (top / "b.png").write_bytes(b"no picture")
    assert batch.run("--fail-fast").status == 1
    assert batch.statuses == {"a.png": "done", "b.png": "failed"}
    assert batch.record["counts"]["missing"] == 1


def test_what_a_plugin_raises_is_the_reason_of_its_photo(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, names = photo_module.run, ["a.png"]

    def fail(plan: Any, *arguments: Any, **options: Any) -> Any:
        if plan.spec.content.name in names:
            raise ZeroDivisionError("of somebody")
        return run(plan, *arguments, **options)

    monkeypatch.setattr(photo_module, "run", fail)
    batch.photos("a.png", "b.png")
    assert batch.run().status == 1
    assert batch.record["photos"][0]["reason"] == "ZeroDivisionError: of somebody"
    assert batch.statuses == {"a.png": "failed", "b.png": "done"}


def test_missing_weights_end_it_at_once(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise WeightsError("the weights are missing", hint="fetch them")

    monkeypatch.setattr(photo_module, "run", fail)
    batch.photos("a.png", "b.png")
    done = batch.run()
    assert done.status == 3
    assert "the weights are missing" in done.err
    assert not (batch.output / "batch.json").exists()


def test_what_was_not_come_to_is_no_success(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(self: Here, work: Work, task: Task, tell: Tell) -> Iterator[Outcome]:
        job = work.next(0)
        assert job
        yield Outcome(job, "done")

    monkeypatch.setattr(Here, "outcomes", half)
    batch.photos("a.png", "b.png")
    done = batch.run()
    assert done.status == 1
    assert "1 done, 1 not come to" in done.err
    assert batch.record["counts"] == {"done": 1, "missing": 1}


def test_styles_are_crossed_with_photos(batch: Batch) -> None:
    batch.photos("a.png", "b.png")
    styles = batch.folder / "styles"
    styles.mkdir()
    for name, color in {"red": (255, 0, 0), "blue": (0, 0, 255)}.items():
        save(styles / f"{name}.png", rectangle((0, 0, 8, 8), 8, 8)[..., None] // 255 * color)
    spec = batch.spec(objects=[{"style": {"images": ["style.png"], "scale": 2.0}}])
    assert batch.run("--styles", styles, spec=spec).status == 0
    assert batch.pictures() == {"red/a.png", "red/b.png", "blue/a.png", "blue/b.png"}
    told = json.loads((batch.output / "red" / "a.png.run" / "run.json").read_text())["spec"]
    style = told["objects"][0]["style"]
    assert style["scale"] == 2.0
    assert [Path(path).name for path in style["images"]] == ["red.png"]
    # Another style is another picture of each photo, and nothing else.
    shutil.copy(styles / "red.png", styles / "also.png")
    batch.run("--styles", styles, spec=spec)
    done = {name for name, status in batch.statuses.items() if status == "done"}
    assert done == {"also/a.png", "also/b.png"}


def test_lists_and_patterns(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    top = batch.photos("a.png", "b.png", "c.png")
    listed = batch.folder / "list.txt"
    listed.write_text(f"{top / 'a.png'}\n{top}/c.*\n")
    done = batch.instyle("batch", batch.spec(), "--from", listed, "-o", batch.output)
    assert done.status == 0, done.err
    assert batch.pictures() == {"a.png", "c.png"}


def test_quiet(batch: Batch) -> None:
    batch.photos("a.png")
    done = batch.run("--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")


def test_a_place_that_is_the_same_in_each_photo_is_told(batch: Batch) -> None:
    batch.photos("a.png")
    spec = batch.spec(objects=[{"select": {"point": [25, 20]}}], segmenter=None)
    done = batch.instyle(
        "batch", spec, batch.folder / "photos", "-o", batch.output, "--set", "segmenter.use=region"
    )
    assert "note: objects.0: its point is the same in each photo" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("no photo is named", "--from")),
        (("nowhere",), ("no such file or folder", "nowhere")),
        (("empty",), ("there is no photo",)),
        (("photos", "-o", "photos/out"), ("this is inside of", "choose another")),
        (("photos", "-o", "photos"), ("this is inside of", "choose another")),
        (("photos/a.png", "-o", "photos"), ("the picture would replace this photo",)),
        (("photos", "-o", "style.png"), ("into a folder, and this is a file",)),
        (("photos/a.png", "twin/a.png"), ("one output 'a.png'", "rename it")),
        (("photos", "--styles", "empty"), ("no picture in what --styles names",)),
        (("photos", "--set", "sise=3"), ("sise",)),
        (("photos", "--cluster", "kubernetes"), ("this is no cluster", "ray")),
        (("photos", "--cluster-set", "num_gpus=1"), ("of no use without --cluster",)),
        (("photos", "--cluster", "ray", "--cluster-set", "num_gpus"), ("KEY=VALUE",)),
        (("photos", "--devices", ","), ("no device is named",)),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_before_any_work(
    batch: Batch,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    batch.photos("a.png")
    for name in ("twin", "empty"):
        (batch.folder / name).mkdir()
    save(batch.folder / "twin" / "a.png", noise())
    spec = batch.spec()
    monkeypatch.chdir(batch.folder)
    before = listing(batch.folder)
    given = arguments if "-o" in arguments else (*arguments, "-o", "painted")
    done = batch.instyle("batch", spec, *given)
    assert done.status != 0
    assert_error(done, done.status, *words, hint=False)
    assert {
        name: data for name, data in listing(batch.folder).items() if "lock" not in name
    } == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"losses": [{"use": "tint", "weight": -1}]}, ("weight", "spec.yaml")),
        ({"style": "nowhere.png"}, ("no such file", "nowhere.png")),
        ({"segmenter": {"use": "stensil"}}, ("stensil", "stencil")),
    ],
)
def test_a_spec_that_is_wrong_is_told_once(
    batch: Batch, change: dict[str, Any], words: tuple[str, ...]
) -> None:
    batch.photos("a.png", "b.png")
    done = batch.run(spec=batch.spec(**change))
    assert_error(done, 2, *words, hint=False)
    assert not batch.output.joinpath("batch.json").exists()


def test_two_things_that_are_wrong_with_a_spec(batch: Batch) -> None:
    batch.photos("a.png")
    done = batch.run(spec=batch.spec(size=1, style="nowhere.png"))
    assert_error(done, 2, "size", "nowhere.png", hint=False)
