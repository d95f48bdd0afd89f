"""The queue and the folders of runs, with a painter that only says that it paints."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from instyle_core import InstyleError
from instyle_studio.errors import Refused
from instyle_studio.runs import Run, Runs
from instyle_studio.session import Session, read_about, write_about
from tests.core.helpers.studio import BOX, noise, rectangle, save
from tests.plugins.instyle_studio.serving import spec_of


class FakePainter:
    """Answers when it is told to.

    Attributes:
        asked: what it was asked.
        interrupted: the runs that were to stop.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.interrupted: list[str] = []
        self.answers: asyncio.Queue[Any] = asyncio.Queue()

    async def ask(self, request: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> Any:
        self.asked.append(request)
        tell({"type": "note", "message": "painting"})
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return {"status": answer, "reason": "", "seconds": 1.0, "resumable": answer != "finished"}

    def interrupt(self, run: str) -> None:
        self.interrupted.append(run)


Work = Callable[[Runs, FakePainter, dict[str, Any]], Coroutine[Any, Any, None]]


def doing(folder: Path, work: Work) -> Session:
    """Do something with the runs of a session."""
    session = Session(folder / "session")

    async def main() -> None:
        painter = FakePainter()
        runs = Runs(session, painter)  # type: ignore[arg-type]
        photo = session.add("photos", save(folder / "p.png", noise()), "p.png").id
        style = session.add("styles", save(folder / "s.png", noise(seed=1)), "s.png").id
        with session.making("masks") as (mask, inside):
            save(inside / "mask.png", rectangle(BOX))
        runs.start()
        await work(runs, painter, spec_of(photo, style, mask))
        await runs.close(0)

    asyncio.run(main())
    return session


async def until(run: Run, state: str) -> None:
    while run.state != state:
        await asyncio.wait_for(run.changed.wait(), 20)


def test_one_after_another(tmp_path: Path) -> None:
    async def work(runs: Runs, painter: FakePainter, spec: dict[str, Any]) -> None:
        several = [await runs.add(spec) for _ in range(3)]
        await until(several[0], "running")
        assert [run.state for run in several] == ["running", "queued", "queued"]
        assert [runs.place(run) for run in several] == [None, 0, 1]
        for index, run in enumerate(several):
            await until(run, "running")
            assert len(painter.asked) == index + 1
            await painter.answers.put("finished")
            await until(run, "finished")
        assert [request["run"] for request in painter.asked] == [str(r.folder) for r in several]
        assert runs.all() == several

    doing(tmp_path, work)


def test_stopping_asks_the_painter_once_and_for_this_run(tmp_path: Path) -> None:
    async def work(runs: Runs, painter: FakePainter, spec: dict[str, Any]) -> None:
        run, other = await runs.add(spec), await runs.add(spec)
        await until(run, "running")
        for _ in range(3):
            assert runs.stop(run)
            with pytest.raises(Refused):
                runs.remove(run)
        assert painter.interrupted == [str(run.folder)]
        assert run.facts()["stopping"]
        await painter.answers.put("interrupted")
        await until(run, "interrupted")
        assert run.can_resume
        # It goes on, and is not stopped by what was asked before.
        runs.resume(run)
        assert not run.facts()["stopping"]
        await until(other, "running")
        await painter.answers.put("finished")
        await until(run, "running")
        assert [request["resume"] for request in painter.asked] == [False, False, True]
        await painter.answers.put("finished")
        await until(run, "finished")
        with pytest.raises(Refused) as caught:
            runs.resume(run)
        assert caught.value.status == 409
        # Stopped too late, as by a page that does not know yet that it has finished.
        assert runs.stop(run)
        assert (run.state, run.folder.is_dir()) == ("finished", True)
        assert painter.interrupted == [str(run.folder)]
        runs.remove(run)
        with pytest.raises(Refused):
            runs.get(run.id)

    doing(tmp_path, work)


def test_a_resumed_run_that_is_taken_out_of_the_queue_keeps_what_it_has(tmp_path: Path) -> None:
    async def work(runs: Runs, painter: FakePainter, spec: dict[str, Any]) -> None:
        run = await runs.add(spec)
        await until(run, "running")
        await painter.answers.put("interrupted")
        await until(run, "interrupted")
        other = await runs.add(spec)
        await until(other, "running")
        runs.resume(run)
        assert runs.stop(run)
        assert run.state == "interrupted"
        assert run.can_resume
        assert run.folder.is_dir()

    doing(tmp_path, work)


def test_a_failed_run_with_a_picture_keeps_it_when_it_is_taken_out_of_the_queue(
    tmp_path: Path,
) -> None:
    """It was gone on with, has no checkpoint, and waits."""

    async def work(runs: Runs, painter: FakePainter, spec: dict[str, Any]) -> None:
        run = await runs.add(spec)
        save(run.folder / "result.png", noise())
        await painter.answers.put("diverged")
        await until(run, "failed")
        other = await runs.add(spec)
        await until(other, "running")
        runs.resume(run)
        assert runs.stop(run)
        assert run.state == "interrupted"
        assert runs.get(run.id).facts()["has_result"]

    doing(tmp_path, work)


def test_a_painter_that_dies_fails_the_run_and_nothing_else(tmp_path: Path) -> None:
    async def work(runs: Runs, painter: FakePainter, spec: dict[str, Any]) -> None:
        run, other = await runs.add(spec), await runs.add(spec)
        await painter.answers.put(InstyleError("it was killed", hint="try again"))
        await until(run, "failed")
        assert run.facts()["error"]["what"] == "it was killed"
        await painter.answers.put("finished")
        await until(other, "finished")

    doing(tmp_path, work)


def test_a_wrong_spec_makes_no_run(tmp_path: Path) -> None:
    async def work(runs: Runs, painter: FakePainter, spec: dict[str, Any]) -> None:
        with pytest.raises(InstyleError):
            await runs.add({**spec, "size": 1})
        assert runs.all() == []

    session = doing(tmp_path, work)
    assert [*(session.root / "runs").iterdir()] == []


def test_what_a_killed_server_leaves_is_found_as_interrupted(tmp_path: Path) -> None:
    async def work(runs: Runs, painter: FakePainter, spec: dict[str, Any]) -> None:
        for _ in range(2):
            await runs.add(spec)
        await until(runs.all()[0], "running")

    session = doing(tmp_path, work)
    running, queued = sorted(
        (session.root / "runs").iterdir(), key=lambda f: read_about(f)["asked"]
    )
    with (running / "events.jsonl").open("ab") as file:
        file.write(b'{"type": "st')  # cut off
    dead = running / ".result.png.run-x"
    dead.mkdir()
    (dead / "run.json").write_text("{}")
    (session.root / "runs" / "0123456789abcdef").mkdir()
    write_about(session.root / "runs" / "0123456789abcdef", {"state": "nonsense"})

    async def again() -> None:
        runs = Runs(session, FakePainter())  # type: ignore[arg-type]
        assert [run.id for run in runs.all()] == [running.name, queued.name]
        assert [run.state for run in runs.all()] == ["interrupted"] * 2
        assert [run.can_resume for run in runs.all()] == [True, False]
        lines = (running / "events.jsonl").read_bytes().splitlines()
        assert all(json.loads(line)["type"] for line in lines)

    asyncio.run(again())


def test_a_stream_has_every_event_once_and_ends_with_the_run(tmp_path: Path) -> None:
    async def work(runs: Runs, painter: FakePainter, spec: dict[str, Any]) -> None:
        run = await runs.add(spec)
        got: list[bytes] = []

        async def read() -> None:
            async for part in runs.events(run, 0):
                got.append(part)

        reading = [asyncio.create_task(read()) for _ in range(2)]
        await until(run, "running")
        for number in range(50):
            run.tell({"type": "note", "message": "\n\n" * number})
            await asyncio.sleep(0)
        await painter.answers.put("finished")
        await asyncio.wait_for(asyncio.gather(*reading), 20)
        lines = (run.folder / "events.jsonl").read_bytes().splitlines()
        assert len(got) == 2 * len(lines)
        assert all(part.count(b"\n") == 3 for part in got)  # id, data, and an empty line

    doing(tmp_path, work)


def test_a_stream_ends_when_the_server_does(tmp_path: Path) -> None:
    async def work(runs: Runs, painter: FakePainter, spec: dict[str, Any]) -> None:
        run = await runs.add(spec)
        await until(run, "running")

        async def read() -> None:
            async for _ in runs.events(run, 0):
                pass

        reading = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        await runs.close(0)
        await asyncio.wait_for(reading, 5)

    doing(tmp_path, work)
