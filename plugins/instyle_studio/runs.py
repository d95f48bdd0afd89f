"""The runs of a session: a queue, one run at a time, and what is known of each.

    runs/ID/{spec.yaml, about.json, events.jsonl, live.jpg, result.png, result.png.run/...}

``about.json`` has what was asked for and what came of it; ``events.jsonl`` an event a line.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from instyle_core import InstyleError
from instyle_studio.errors import Refused, not_found, told
from instyle_studio.process import Worker
from instyle_studio.session import ID, Session, read_about, write_about
from instyle_studio.specs import prepare, start_of

#: Seconds of silence after which a stream of events says that it is still there.
_SILENCE_S = 15.0

_GOING = ("queued", "running")


class Run:
    """A run of the session.

    Attributes:
        folder: of it.
        about: what ``about.json`` has.
        changed: set, and replaced, at each change.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder = folder
        self.about = about
        self.changed = asyncio.Event()
        self.stopping = False

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``finished``, ``interrupted`` or ``failed``."""
        return str(self.about["state"])

    @property
    def result(self) -> Path | None:
        """The picture, if one was written."""
        return next((path for path in self.folder.glob("result.*") if path.is_file()), None)

    @property
    def record(self) -> Path | None:
        """The folder that the run has written beside its picture."""
        return next((path for path in self.folder.glob("result.*.run") if path.is_dir()), None)

    @property
    def can_resume(self) -> bool:
        """Whether there is a checkpoint of an interrupted run, or of one that was killed."""
        killed = any(self.folder.glob(".*/run.json"))
        return self.state == "interrupted" and (self.about.get("resumable", False) or killed)

    def facts(self) -> dict[str, Any]:
        """What the API tells."""
        more = {"stopping": self.stopping, "has_result": self.result is not None}
        return {**self.about, "id": self.id, **more, "resumable": self.can_resume}

    @property
    def is_over(self) -> bool:
        """Whether there will be no more events, unless the run is gone on with."""
        return self.state not in _GOING

    def known(self, after: int) -> int:
        """The ID of an event; 0 if there is no event of this ID."""
        return after if _is_end(self.folder / "events.jsonl", after) else 0

    def lines(self, after: int) -> list[bytes]:
        """The events after the one with the ID `after`, a line each; all after 0."""
        return _lines(self.folder / "events.jsonl", after)

    def change(self, **facts: Any) -> None:
        """Change what is known, on the disk too, and wake who waits for it."""
        self.about |= facts
        write_about(self.folder, self.about)
        self._wake()

    def tell(self, event: Mapping[str, Any]) -> None:
        """Add an event."""
        with (self.folder / "events.jsonl").open("ab") as file:
            file.write(json.dumps({**event, "time": time.time()}).encode() + b"\n")
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Runs:
    """All runs of a session.

    Args:
        session: its folder.
        painter: the worker that carries them out.
    """

    def __init__(self, session: Session, painter: Worker) -> None:
        self._session = session
        self._painter = painter
        self._runs: dict[str, Run] = {}
        self._queue: list[Run] = []
        self._something = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        for folder in (session.root / "runs").iterdir():
            about = read_about(folder)
            if ID.fullmatch(folder.name) and about.get("state") in (*_GOING, *_OVER):
                run = self._runs[folder.name] = Run(folder, about)
                _cut(folder / "events.jsonl")
                if run.state in _GOING:  # the server was killed
                    run.change(state="interrupted", reason="the studio was closed")

    def start(self) -> None:
        """Begin to carry out what is in the queue."""
        self._task = asyncio.create_task(self._work())

    async def close(self, patience: float) -> None:
        """Stop; a run that goes on gets so many seconds to save what it has."""
        self._closing.set()
        running = [run for run in self._runs.values() if run.state == "running"]
        for run in running:
            if patience and not run.stopping:
                run.stopping = True
                self._painter.interrupt(str(run.folder))
            if patience:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._until_over(run), patience)
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def all(self) -> list[Run]:
        """In the order in which they were asked for."""
        return sorted(self._runs.values(), key=lambda run: run.about.get("asked", 0))

    def get(self, identity: str) -> Run:
        """A run.

        Raises:
            Refused: there is none of this ID.
        """
        if identity not in self._runs:
            raise not_found("run")
        return self._runs[identity]

    def place(self, run: Run) -> int | None:
        """How many are before it in the queue; None if it is not in it."""
        return self._queue.index(run) if run in self._queue else None

    async def add(
        self, spec: Mapping[str, Any], *, preview: bool = False, start: Run | None = None
    ) -> Run:
        """Put a run into the queue.

        Args:
            spec: as the page has it.
            preview: whether to make it small and quick.
            start: the run whose result it starts from.

        Raises:
            SpecError, InputError: what is wrong with the spec.
        """
        if start:
            spec = {**spec, "start": f"run:{start.id}"}
        identity = await asyncio.to_thread(self._make, spec, preview, start)
        folder = self._session.root / "runs" / identity
        run = self._runs[identity] = Run(folder, read_about(folder))
        self._enqueue(run)
        return run

    def _make(self, spec: Mapping[str, Any], preview: bool, start: Run | None) -> str:
        with self._session.making("runs") as (identity, folder):
            if start:
                source = start_of(self._session, start.id, folder)
                shutil.copyfile(source, folder / f"start{source.suffix}")
            prepared = prepare(self._session, spec, folder, small=preview)
            (folder / "spec.yaml").write_text(prepared.text, encoding="utf-8")
            facts = {"state": "queued", "preview": preview, "asked": time.time()}
            facts |= {"began": None, "seconds": None, "reason": "", "error": None}
            write_about(folder, {**facts, "spec": prepared.spec})
        return identity

    def _enqueue(self, run: Run) -> None:
        run.stopping = False
        run.change(state="queued", reason="", error=None)
        run.tell({"type": "queued"})
        self._queue.append(run)
        self._something.set()

    def resume(self, run: Run) -> None:
        """Put an interrupted run into the queue again; it goes on from where it was, if it can.

        Raises:
            Refused: it was not interrupted.
        """
        if run.state not in ("interrupted", "failed"):
            raise Refused(409, f"this run is {run.state}, so there is nothing to go on with")
        run.about["resume"] = run.can_resume
        self._enqueue(run)

    def stop(self, run: Run) -> bool:
        """Stop a run that is queued or running; one that is over stays as it is.

        Returns:
            Whether it is still there: a queued run without a result or checkpoint is taken away.
        """
        if run.state == "running" and not run.stopping:
            run.stopping = True
            self._painter.interrupt(str(run.folder))
            run.tell({"type": "stopping"})
        elif run in self._queue:
            self._queue.remove(run)
            if run.result is None and not run.about.get("resume"):
                self._take_away(run)
                return False
            run.change(state="interrupted", reason="it was stopped")
            run.tell({"type": "finished", "status": "interrupted"})
        return True

    def remove(self, run: Run) -> None:
        """Take a run away that is over.

        Raises:
            Refused: it is not.
        """
        if not run.is_over:
            raise Refused(409, f"this run is {run.state}", hint="stop it first")
        self._take_away(run)

    def _take_away(self, run: Run) -> None:
        del self._runs[run.id]
        hidden = run.folder.with_name(f".{run.id}")
        with suppress(OSError):
            os.replace(run.folder, hidden)
        shutil.rmtree(hidden, ignore_errors=True)
        run.about["state"] = "removed"
        run._wake()

    async def _work(self) -> None:
        while True:
            while not self._queue:
                self._something.clear()
                await self._something.wait()
            await self._carry_out(self._queue.pop(0))

    async def _carry_out(self, run: Run) -> None:
        resume = bool(run.about.pop("resume", False))
        run.change(state="running", began=time.time(), resumable=False)
        run.tell({"type": "started"})
        try:
            request = {"run": str(run.folder), "resume": resume}
            answer = await self._painter.ask(request, run.tell)
        except InstyleError as error:
            run.change(state="failed", error=told(error), seconds=_since(run))
            run.tell({"type": "failed", "error": told(error)})
            return
        status = answer["status"]
        if status == "diverged":
            hint = "the best picture so far is the result"
            stopped = told(InstyleError(f"stopped early: {answer['reason']}", hint=hint))
            run.change(state="failed", error=stopped, seconds=answer["seconds"])
            run.tell({"type": "failed", "error": stopped})
            return
        facts = {key: answer[key] for key in ("reason", "seconds", "resumable")}
        run.change(state=status, **facts)
        run.tell({"type": "finished", "status": status, **facts})

    async def _until_over(self, run: Run) -> None:
        while run.state == "running":
            await run.changed.wait()

    async def events(self, run: Run, after: int) -> AsyncIterator[bytes]:
        """The events of a run, as a server sends them, until it is over.

        The ID of an event is the number of bytes of ``events.jsonl`` up to its end.

        Args:
            run: the run.
            after: the ID of the last event that is known; 0 for none.
        """
        place = after
        while True:
            changed, is_over = run.changed, run.is_over
            for line in run.lines(place):
                place += len(line)
                yield b"id: %d\ndata: %b\n" % (place, line)  # with its own line break
            if is_over or self._closing.is_set():
                return
            waiting = {asyncio.ensure_future(e.wait()) for e in (changed, self._closing)}
            _, pending = await asyncio.wait(
                waiting, timeout=_SILENCE_S, return_when=asyncio.FIRST_COMPLETED
            )
            for task in pending:
                task.cancel()
            if len(pending) == len(waiting):
                yield b": still there\n\n"


_OVER = ("finished", "interrupted", "failed")


def _since(run: Run) -> float:
    return time.time() - (run.about.get("began") or time.time())


def _lines(path: Path, place: int) -> list[bytes]:
    """The complete lines of a file from a place on."""
    try:
        with path.open("rb") as file:
            file.seek(place)
            return [line for line in file if line.endswith(b"\n")]
    except FileNotFoundError:
        return []


def _is_end(path: Path, place: int) -> bool:
    """Whether a line of a file ends at a place."""
    if place <= 0:
        return False
    try:
        with path.open("rb") as file:
            file.seek(place - 1)
            return file.read(1) == b"\n"
    except (OSError, OverflowError):
        return False


def _cut(path: Path) -> None:
    """Remove the part of a line that a killed server has left at the end."""
    with suppress(FileNotFoundError), path.open("rb+") as file:
        data = file.read()
        file.truncate(data.rfind(b"\n") + 1)
