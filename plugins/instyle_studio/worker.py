"""A worker process: what it reads, what it answers, and how it ends.

It ends when its standard input does: with the server, however that ended.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from instyle_core import InstyleError
from instyle_studio.errors import told

Request = dict[str, Any]

Tell = Callable[[dict[str, Any]], None]


class Handler(Protocol):
    """Does the work of a worker."""

    def prepare(self) -> None:
        """Load what the first request would wait for."""

    def __call__(self, request: Request, tell: Tell) -> Any:
        """Do what is asked, tell of events, and return plain data."""

    def interrupt(self, what: str) -> None:
        """Stop something, now or as soon as it begins; called in another thread."""


def main() -> None:
    """Answer requests until there are no more: ``ROLE ROOT MEGAPIXELS``."""
    role, root, megapixels = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # but while `painter` paints
    answers = _private_output()
    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    handler = _handler(role, Path(root), float(megapixels))
    reader = threading.Thread(target=_read, args=(sys.stdin.buffer, requests, handler), daemon=True)
    reader.start()

    def send(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message).encode() + b"\n")
        answers.flush()

    def tell(event: dict[str, Any]) -> None:
        send({"event": event})

    send(attempt(handler.prepare))
    while True:
        send(attempt(partial(handler, requests.get(), tell)))


def attempt(work: Callable[[], Any]) -> dict[str, Any]:
    """The answer of some work, or the error that it ended with."""
    try:
        return {"answer": work()}
    except InstyleError as error:
        return {"error": {**told(error), "exit_status": error.exit_status}}
    except MemoryError:
        return {"error": {"what": "memory has run out", "hint": "try a smaller picture or size"}}
    except Exception as error:
        import traceback

        traceback.print_exc()
        what = f"this should not happen: {type(error).__name__}"
        return {"error": {"what": what, "hint": "the terminal of the studio shows where it did"}}


def _handler(role: str, root: Path, megapixels: float) -> Handler:
    if role == "looker":
        from instyle_studio.looker import Looker

        return Looker(root, megapixels)
    from instyle_studio.painter import Painter

    return Painter()


def _private_output() -> BinaryIO:
    """Standard output; what anybody prints goes to standard error from now on."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _read(lines: BinaryIO, requests: queue.SimpleQueue[Request], handler: Handler) -> None:
    for line in lines:
        message = json.loads(line)
        if "interrupt" in message:
            handler.interrupt(message["interrupt"])
        else:
            requests.put(message)
    os._exit(0)  # the server is gone; what a run has saved, it can go on from
