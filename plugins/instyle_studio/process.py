"""The worker processes, as the server sees them: asked one thing at a time, started when they die.

A request is a line of JSON on the worker's standard input. The worker answers with lines of JSON:
any number of ``{"event": ...}``, then ``{"answer": ...}`` or ``{"error": ...}``. Meanwhile, a line
``{"interrupt": RUN}`` stops a run.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from instyle_core import InstyleError
from instyle_studio.errors import FromWorker, Refused

Tell = Callable[[dict[str, Any]], None]

#: Bytes of a line.
_LONGEST = 2**26

#: What is asked first is answered first, within an urgency.
URGENT, USUAL, PATIENT = 0, 1, 2


class Worker:
    """A worker process.

    Args:
        role: ``looker`` or ``painter``.
        root: the folder of the session.
        megapixels: larger pictures, in 10^6 pixels, are refused.

    Attributes:
        ready: set when it has loaded what it needs; cleared while it is started again.
        trouble: why it could not load that; else None.
        download: the last event of a download that goes on; else None.
    """

    def __init__(self, role: str, root: Path, megapixels: float) -> None:
        self.ready = asyncio.Event()
        self.trouble: dict[str, Any] | None = None
        self.download: dict[str, Any] | None = None
        self._command = [sys.executable, "-P", "-c", _MAIN, role, str(root), str(megapixels)]
        self._role = role
        self._queue: asyncio.PriorityQueue[Any] = asyncio.PriorityQueue()
        self._numbers = itertools.count()
        self._unanswered: set[asyncio.Future[Any]] = set()
        self._closed = False
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it, and begin to answer what it is asked."""
        self._task = asyncio.create_task(self._work())

    async def ask(
        self, request: Mapping[str, Any], on_event: Tell = lambda event: None, urgency: int = USUAL
    ) -> Any:
        """Have something done.

        Raises:
            FromWorker: it could not be done.
            InstyleError: the worker has died of it.
            Refused: the worker is closed, or is before there is an answer.
        """
        if self._closed:
            raise _closing()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._unanswered.add(answer)
        answer.add_done_callback(self._unanswered.discard)
        await self._queue.put((urgency, next(self._numbers), request, on_event, answer))
        return await answer

    def interrupt(self, run: str) -> None:
        """Stop a run, as the first Ctrl-C does on the command line; any other one goes on."""
        if self._process and self._process.stdin and self._process.returncode is None:
            self._process.stdin.write(json.dumps({"interrupt": run}).encode() + b"\n")

    async def close(self) -> None:
        """End it; who waits for an answer is told so."""
        self._closed = True
        for answer in [*self._unanswered]:
            if not answer.done():
                answer.set_exception(_closing())
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _work(self) -> None:
        while True:
            if self._process is None or self._process.returncode is not None:
                await self._start()
            _, _, request, on_event, answer = await self._queue.get()
            if answer.done():  # nobody waits for it any more
                continue
            if self._process is None or self._process.returncode is not None:
                await self._start()  # it died while it had nothing to do
            process = self._process
            assert process
            assert process.stdin
            try:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                await process.stdin.drain()
                result = await self._result(process, on_event)
            except (ConnectionError, EOFError):
                await process.wait()
                error: InstyleError = self._death(process.returncode or 0)
            except FromWorker as failure:
                error = failure
            else:
                if not answer.done():
                    answer.set_result(result)
                continue
            if not answer.done():
                answer.set_exception(error)

    async def _start(self) -> None:
        """Start the process, and wait until it is ready."""
        self.ready.clear()
        path = os.pathsep.join(entry for entry in sys.path if entry)
        # A session of its own: Ctrl-C in the terminal is for the server, which tells the workers.
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            stdout=PIPE,
            env={**os.environ, "PYTHONPATH": path, "OMP_WAIT_POLICY": "PASSIVE"},
            limit=_LONGEST,
            start_new_session=True,
        )
        self.trouble = None
        try:
            await self._result(self._process, lambda event: None)
        except FromWorker as failure:
            self.trouble = {"what": failure.what, "where": failure.where, "hint": failure.hint}
        except EOFError:
            await self._process.wait()
            code = self._process.returncode or 0
            self.trouble = {"what": self._death(code).what, "where": None, "hint": None}
            await asyncio.sleep(1)  # not again at once
            return
        self.ready.set()

    async def _result(self, process: Process, on_event: Tell) -> Any:
        """What the process answers.

        Raises:
            FromWorker: an error.
            EOFError: it has ended.
        """
        assert process.stdout
        while line := await process.stdout.readline():
            message = json.loads(line)
            event = message.get("event")
            self.download = event if event and event["type"] == "download" else None
            if event:
                on_event(event)
            elif "error" in message:
                raise FromWorker(message["error"])
            else:
                return message["answer"]
        raise EOFError

    def _death(self, code: int) -> InstyleError:
        does = {"looker": "looks at photos", "painter": "paints"}[self._role]
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        hint = "it has been started again"
        if code == -signal.SIGKILL:
            hint += "; perhaps memory ran out, so try a smaller picture or size"
        return InstyleError(f"the process that {does} {how}", hint=hint)


def _closing() -> Refused:
    return Refused(503, "the studio is being closed")


_MAIN = "from instyle_studio.worker import main; main()"
