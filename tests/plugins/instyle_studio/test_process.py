"""Worker processes as the server sees them: urgency, and death."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from instyle_core import InstyleError
from instyle_studio import process
from instyle_studio.errors import FromWorker, Refused
from instyle_studio.process import PATIENT, URGENT, Worker

#: Does what it is asked, so that every way to end can be tried.
CODE = """
import os, sys, time
from instyle_core import InputError
from instyle_studio import worker

class Odd:
    stopped = []
    def prepare(self):
        if len(sys.argv[2]) > 1 and os.path.exists(sys.argv[2] + "/broken"):
            raise InputError("it cannot load", hint="mend it")
    def __call__(self, request, tell):
        match request["do"]:
            case "die": os.kill(os.getpid(), 9)
            case "end": os._exit(3)
            case "fail": raise InputError("wrong", where="there")
            case "wait":
                while request["run"] not in self.stopped: time.sleep(0.01)
                return "stopped"
        if request["do"] == "download":
            tell({"type": "download", "name": "vgg", "done": 5, "total": 9})
            while not self.stopped: time.sleep(0.01)
        tell({"type": "hello", "pid": os.getpid()})
        return request["do"]
    def interrupt(self, what):
        self.stopped.append(what)

worker._handler = lambda *arguments: Odd()
worker.main()
"""


@pytest.fixture(autouse=True)
def _odd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_MAIN", CODE)


def doing(folder: Path, work: Callable[[Worker], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        worker = Worker("painter", folder, 1.0)
        worker.start()
        try:
            await asyncio.wait_for(work(worker), 60)
        finally:
            await worker.close()

    asyncio.run(main())


def test_it_answers_and_fails_and_answers_again(tmp_path: Path) -> None:
    async def work(worker: Worker) -> None:
        told: list[dict[str, Any]] = []
        assert await worker.ask({"do": "hello"}, told.append) == "hello"
        assert worker.ready.is_set()
        with pytest.raises(FromWorker) as caught:
            await worker.ask({"do": "fail"})
        assert (caught.value.what, caught.value.where) == ("wrong", "there")
        assert caught.value.exit_status == 2
        await worker.ask({"do": "hello"}, told.append)
        assert told[0] == told[1]  # one process

    doing(tmp_path, work)


@pytest.mark.parametrize(("way", "words"), [("die", "signal 9"), ("end", "status 3")])
def test_its_death_is_told_and_it_is_started_again(tmp_path: Path, way: str, words: str) -> None:
    async def work(worker: Worker) -> None:
        told: list[dict[str, Any]] = []
        await worker.ask({"do": "hello"}, told.append)
        dying = worker.ask({"do": way})
        waiting = asyncio.create_task(worker.ask({"do": "hello"}, told.append))
        with pytest.raises(InstyleError, match=words) as caught:
            await dying
        assert "started again" in str(caught.value.hint)
        assert ("memory" in str(caught.value.hint)) == (way == "die")
        assert await waiting == "hello"  # what was asked after it is not lost
        assert told[0] != told[1]

    doing(tmp_path, work)


def test_a_death_while_nothing_is_asked_is_not_noticed(tmp_path: Path) -> None:
    async def work(worker: Worker) -> None:
        told: list[dict[str, Any]] = []
        await worker.ask({"do": "hello"}, told.append)
        os.kill(told[0]["pid"], signal.SIGKILL)
        await asyncio.sleep(0.3)
        assert await worker.ask({"do": "hello"}, told.append) == "hello"
        assert told[0] != told[1]

    doing(tmp_path, work)


def test_what_is_urgent_comes_first(tmp_path: Path) -> None:
    async def work(worker: Worker) -> None:
        done: list[str] = []

        async def ask(name: str, urgency: int) -> None:
            done.append(await worker.ask({"do": name}, urgency=urgency))

        waiting = asyncio.create_task(worker.ask({"do": "wait", "run": "x"}))
        await asyncio.sleep(0.1)
        several = [asyncio.create_task(ask(f"patient {n}", PATIENT)) for n in range(3)]
        await asyncio.sleep(0.1)
        several.append(asyncio.create_task(ask("click", URGENT)))
        await asyncio.sleep(0.1)
        worker.interrupt("x")
        assert await waiting == "stopped"
        await asyncio.gather(*several)
        assert done == ["click", "patient 0", "patient 1", "patient 2"]

    doing(tmp_path, work)


def test_a_download_is_known_while_it_goes_on(tmp_path: Path) -> None:
    async def work(worker: Worker) -> None:
        waiting = asyncio.create_task(worker.ask({"do": "download"}))
        while worker.download is None:
            await asyncio.sleep(0.01)
        assert worker.download == {"type": "download", "name": "vgg", "done": 5, "total": 9}
        worker.interrupt("")
        await waiting
        assert worker.download is None

    doing(tmp_path, work)


def test_what_it_could_not_load_is_known(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()

    async def work(worker: Worker) -> None:
        await worker.ready.wait()
        assert worker.trouble
        assert worker.trouble["what"] == "it cannot load"
        assert await worker.ask({"do": "hello"}) == "hello"  # the rest works

    doing(tmp_path, work)


def test_a_process_that_cannot_start_fails_what_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_MAIN", "import sys; sys.exit(4)")

    async def work(worker: Worker) -> None:
        with pytest.raises(InstyleError, match="status 4"):
            await worker.ask({"do": "hello"})
        assert worker.trouble
        assert not worker.ready.is_set()

    doing(tmp_path, work)


def test_who_waits_when_it_is_closed_is_told(tmp_path: Path) -> None:
    async def work(worker: Worker) -> None:
        await worker.ask({"do": "hello"})
        asked = [asyncio.create_task(worker.ask({"do": "wait", "run": "x"})) for _ in range(3)]
        asked[2].cancel()
        await asyncio.sleep(0)  # the first is at work, the second in the queue
        await worker.close()
        asked.append(asyncio.create_task(worker.ask({"do": "hello"})))
        errors = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(errors.pop(2), asyncio.CancelledError)
        for error in errors:
            assert isinstance(error, Refused)
            assert (error.status, error.what) == (503, "the studio is being closed")

    doing(tmp_path, work)


def test_nothing_is_left_when_it_is_closed(tmp_path: Path) -> None:
    pids: list[dict[str, Any]] = []

    async def work(worker: Worker) -> None:
        await worker.ask({"do": "hello"}, pids.append)

    doing(tmp_path, work)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0]["pid"], 0)
