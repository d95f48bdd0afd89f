"""Photos and pictures under URLs: in memory, as files, and on an S3 server of this machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import fsspec
import numpy as np
import pytest

from instyle_batch import storage
from instyle_batch.job import Job, Task
from instyle_batch.photo import paint
from instyle_core.events import Step
from tests.core.helpers.commands import Command, assert_error, start
from tests.core.helpers.object_store import object_store, use
from tests.core.helpers.studio import Studio, listing, noise, save


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with object_store() as opened:
        yield opened


@pytest.fixture
def s3(address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    use(address, monkeypatch)
    return fsspec.filesystem("s3")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files, in which nothing is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert listing(folder) == {}
    assert list(folder.iterdir()) == []


def encoded(seed: int) -> bytes:
    return cv2.imencode(".png", noise(seed=seed))[1].tobytes()


def picture(data: bytes) -> np.ndarray:
    """The samples (H, W, 3), RGB."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found[..., ::-1]


def statuses(files: Any, top: str) -> dict[str, str]:
    rows = json.loads(files.cat_file(f"{top}/batch.json"))["photos"]
    return {row["name"]: row["status"] for row in rows}


def stored(files: Any, top: str) -> dict[str, bytes]:
    return {path: files.cat_file(path) for path in files.find(top)}


def test_a_bucket_is_painted_and_skipped_the_second_time(
    studio: Studio, instyle: Command, s3: Any
) -> None:
    s3.mkdir("animals")
    s3.pipe_file("animals/in/cat.png", encoded(1))
    s3.pipe_file("animals/in/more/dog.png", encoded(2))
    s3.pipe_file("animals/in/notes.txt", b"no photo")
    batch = "batch", studio.spec(), "s3://animals/in", "-o", "s3://animals/out", "--quiet"
    assert instyle(*batch).status == 0
    assert statuses(s3, "animals/out") == {"cat.png": "done", "more/dog.png": "done"}
    # The same as files of this machine, pixel by pixel.
    (studio.folder / "photo.png").write_bytes(encoded(1))
    studio.run()
    assert np.array_equal(picture(s3.cat_file("animals/out/cat.png")), studio.output)
    names = {path.removeprefix("animals/out/") for path in s3.find("animals/out")}
    for name in ("cat.png", "more/dog.png"):
        assert {f"{name}.run/run.json", f"{name}.run/report.html", f"{name}.run/losses.csv"} < names
        pair = picture(s3.cat_file(f"animals/out/.instyle-batch/pairs/{name}.jpg"))
        assert pair.shape == (44, 2 * 60, 3)
    assert not {name for name in names if "photo" in name}
    page = s3.call_s3("head_object", Bucket="animals", Key="out/batch.html")
    assert page["ContentType"] == "text/html"  # which a browser shows

    before = stored(s3, "animals/out")
    assert instyle(*batch).status == 0
    assert statuses(s3, "animals/out") == {"cat.png": "skipped", "more/dog.png": "skipped"}
    after = stored(s3, "animals/out")
    changed = {path for path in after if before.get(path) != after[path]}
    assert changed == {"animals/out/batch.json", "animals/out/batch.html"}


def test_buckets_that_are_not_there_are_found_before_any_work(
    studio: Studio, instyle: Command, s3: Any
) -> None:
    s3.mkdir("present", exist_ok=True)
    done = instyle("batch", studio.spec(), "s3://absent-one/in", "-o", "s3://present/out")
    assert_error(done, 2, "s3://absent-one/in", "not there")
    done = instyle("batch", studio.spec(), studio.folder / "photo.png", "-o", "s3://absent-two/out")
    assert_error(done, 2, "s3://absent-two/out", "cannot be written", "not there")
    assert {path.split("/")[0] for path in s3.ls("")} & {"absent-one", "absent-two"} == set()
    assert s3.find("present") == []


def test_files_of_an_url_in_a_process_of_its_own(studio: Studio, instyle: Command) -> None:
    place = studio.folder / "in ä"
    (place / "sub").mkdir(parents=True)
    save(place / "sub" / "x.png", noise(seed=1))
    out = studio.folder / "out"
    batch = "batch", studio.spec(), f"file://{place}", "-o", f"file://{out}"
    process = start(*batch, "--json", folder=studio.folder)
    printed, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    (row,) = map(json.loads, printed.splitlines())
    assert (row["name"], row["status"]) == ("sub/x.png", "done")
    assert row["photo"] == f"file://{place}/sub/x.png"
    found = listing(out)
    assert {"batch.json", "batch.html", "sub/x.png", "sub/x.png.run/run.json"} < {*found}
    assert not any(name.endswith(".part") for name in found)
    assert instyle(*batch).status == 0
    assert statuses(fsspec.filesystem("file"), str(out)) == {"sub/x.png": "skipped"}


@pytest.mark.parametrize("way", ["from an URL", "to an URL"])
def test_one_of_both_is_an_url(way: str, studio: Studio, instyle: Command, memory: Any) -> None:
    place = studio.folder / "in"
    place.mkdir()
    save(place / "x.png", noise(seed=1))
    (place / "bad.png").write_bytes(b"no picture")
    for path in place.iterdir():
        memory.pipe_file(f"/in/{path.name}", path.read_bytes())
    given = "memory://in" if way == "from an URL" else place
    output = studio.folder / "out" if way == "from an URL" else "memory://out"
    files, top = fsspec.core.url_to_fs(str(output))
    for status in ("done", "skipped"):
        assert instyle("batch", studio.spec(), given, "-o", output, "-q").status == 1
        assert statuses(files, top) == {"bad.png": "failed", "x.png": status}
    assert picture(files.cat_file(f"{top}/x.png")).shape == (44, 60, 3)
    names = {path.rpartition("/")[2] for path in files.find(f"{top}/.instyle-batch")}
    assert names - {"lock"} == {"x.png.jpg"}  # no photo is left that was fetched
    assert not files.exists(f"{top}/bad.png")


def test_an_upload_that_breaks_off_leaves_no_picture(
    studio: Studio, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe_file("/in/x.png", encoded(1))
    job, spec = Job("x.png", "memory://in/x.png"), str(studio.spec())
    task = Task(spec, "memory://out")
    assert paint(job, task).status == "done"
    first = memory.cat_file("/out/x.png")
    real, tries = type(memory).put_file, []

    def breaks(at: int) -> Any:
        def put_file(self: Any, lpath: str, rpath: str, **more: Any) -> None:
            tries.append(rpath)
            if len(tries) == at:
                raise ConnectionResetError("Connection reset by peer")
            real(self, lpath, rpath, **more)

        return put_file

    changed = Task(spec, "memory://out", ("optimizer.steps=6",))
    for at in (2, len(new_files := {*memory.find("/out")})):
        tries.clear()
        monkeypatch.setattr(type(memory), "put_file", breaks(at))
        outcome = paint(job, changed)
        monkeypatch.setattr(type(memory), "put_file", real)
        assert outcome.status == "failed"
        assert "memory://out/x.png" in outcome.reason
        assert "reset by peer" in outcome.reason
        assert not memory.exists("/out/x.png")  # neither the old one nor half of the new one
    assert {*tries} == new_files
    assert tries[-1] == "/out/x.png"
    assert paint(job, task).status == "done"
    assert memory.cat_file("/out/x.png") == first
    assert paint(job, task).status == "skipped"


def stop(event: Any) -> None:
    if isinstance(event, Step) and event.step == 2:
        raise KeyboardInterrupt


@pytest.mark.parametrize("way", ["an URL", "from an URL", "to an URL"])
def test_an_interrupted_run_goes_on(way: str, studio: Studio, memory: Any) -> None:
    """To the same picture as without the interruption, though its folder has another name."""
    memory.pipe_file("/in/x.png", encoded(1))
    (studio.folder / "x.png").write_bytes(encoded(1))
    out = studio.folder / "out"
    (out / ".instyle-batch").mkdir(parents=True)
    photo = str(studio.folder / "x.png") if way == "to an URL" else "memory://in/x.png"
    task = Task(str(studio.spec()), str(out) if way == "from an URL" else "memory://out")
    files, top = fsspec.core.url_to_fs(task.output)
    job = Job("sub/x.png", photo)
    assert paint(job, task, stop).status == "interrupted"
    record = json.loads(files.cat_file(f"{top}/sub/x.png.run/run.json"))
    assert record["status"] == "interrupted"
    assert files.glob(f"{top}/sub/x.png.run/state-*.pt")
    early = files.cat_file(f"{top}/sub/x.png")
    steps: list[int] = []

    def watch(event: Any) -> None:
        if isinstance(event, Step):
            steps.append(event.step)

    assert paint(job, task, watch).status == "done"
    assert steps == [3, 4]
    assert files.glob(f"{top}/sub/x.png.run/state-*.pt") == []
    resumed = files.cat_file(f"{top}/sub/x.png")
    assert paint(job, task).status == "skipped"
    assert paint(job, replace(task, again=True)).status == "done"
    assert files.cat_file(f"{top}/sub/x.png") == resumed != early


def test_a_record_without_its_picture_or_that_is_damaged_is_none(
    studio: Studio, memory: Any
) -> None:
    memory.pipe_file("/in/x.png", encoded(1))
    task = Task(str(studio.spec()), "memory://out")
    job = Job("x.png", "memory://in/x.png")
    assert paint(job, task).status == "done"
    memory.rm_file("/out/x.png")
    assert paint(job, task).status == "done"
    memory.pipe_file("/out/x.png.run/run.json", b'{"status": "interru')
    assert paint(job, task).status == "done"
    memory.pipe_file("/out/x.png.run/run.json", b'{"status": "interrupted"}')
    assert paint(job, task).status == "done"
    assert paint(job, task).status == "skipped"


def test_a_photo_that_breaks_off_on_the_way(
    studio: Studio, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe_file("/in/x.png", encoded(1))

    def get_file(self: Any, rpath: str, lpath: str, **more: Any) -> None:
        Path(lpath).write_bytes(b"half")
        raise ConnectionResetError("Connection reset by peer")

    monkeypatch.setattr(type(memory), "get_file", get_file)
    out = studio.folder / "out"
    (out / ".instyle-batch").mkdir(parents=True)
    for output in ("memory://out", str(out)):
        outcome = paint(Job("x.png", "memory://in/x.png"), Task(str(studio.spec()), output))
        assert outcome.status == "failed"
        assert "memory://in/x.png" in outcome.reason
        assert "reset by peer" in outcome.reason
    assert listing(out).keys() == {".instyle-batch/lock"}
    assert memory.find("/out") == []


def test_an_output_inside_of_the_photos_is_refused(
    studio: Studio, instyle: Command, memory: Any
) -> None:
    memory.pipe_file("/in/x.png", encoded(1))
    for given, output in [
        ("memory://in", "memory://in/out"),
        ("memory://in/", "memory:///in"),
        (studio.folder, f"file://{studio.folder}/out"),
        (f"file://{studio.folder}", studio.folder / "out"),
    ]:
        assert_error(instyle("batch", studio.spec(), given, "-o", output), 2, "inside")
    for given, output in [
        ("memory://in/x.png", "memory://in"),
        (f"file://{studio.folder}/photo.png", studio.folder),
    ]:
        assert_error(instyle("batch", studio.spec(), given, "-o", output), 2, "would replace")
    assert memory.find("/") == ["/in/x.png"]


def test_an_output_that_may_not_be_written_to(
    studio: Studio, instyle: Command, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put_file(self: Any, lpath: str, rpath: str, **more: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(type(memory), "put_file", put_file)
    done = instyle("batch", studio.spec(), studio.folder / "photo.png", "-o", "memory://out")
    assert_error(done, 2, "memory://out", "Access Denied", "credentials")


def test_files_of_a_batch_are_whole_or_not_there(
    tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for output, read in [
        (str(tmp_path), lambda: (tmp_path / "batch.json").read_bytes()),
        ("memory://out", lambda: memory.cat_file("/out/batch.json")),
        (f"file://{tmp_path}/url", lambda: (tmp_path / "url" / "batch.json").read_bytes()),
    ]:
        for data in (b"{}", b"[]"):
            storage.write(output, "batch.json", data)
            assert read() == data
