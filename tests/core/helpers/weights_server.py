"""A server of one file that can fail in every way."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from instyle_core.errors import WeightsError
from instyle_core.weights.cache import cache_folder
from instyle_core.weights.fetch import fetch
from instyle_core.weights.record import Weights


class WeightsServer:
    """Serves one file at any path, answering each request as `answers` says; the last one repeats.

    The answers: ``well``, ``break`` (half of what was asked for, then closed), ``break N`` (the
    same after N bytes), ``lie`` (other bytes of the same length), ``short`` (half of it, with a
    length that says that this is all), ``elsewhere`` (says that it is another part), ``no length``
    (no Content-Length), ``slow`` (well, after a while), ``hang`` (nothing, until the test ends), or
    a status such as ``404``.

    Attributes:
        ranges: whether it can send the rest of the file; else it sends all of it.
        starts: of each request, from which byte on it asks.
        tokens: of each request, its header ``Authorization``.
    """

    def __init__(self, answers: tuple[str, ...] = ("well",)) -> None:
        self.body = bytes(range(256)) * 4096  # 1 MiB, which is several chunks
        self.answers = answers
        self.ranges = False
        self.starts: list[int] = []
        self.tokens: list[str | None] = []
        self._lock = threading.Lock()
        self._end = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/weights.bin"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def requests(self) -> int:
        """How many there were."""
        return len(self.starts)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        start = int(handler.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
        with self._lock:
            answer = self.answers[min(self.requests, len(self.answers) - 1)]
            self.starts.append(start)
            self.tokens.append(handler.headers.get("Authorization"))
        if answer.isdigit():
            handler.send_error(int(answer))
            return
        if answer == "hang":
            self._end.wait()
            return
        if answer == "slow":
            self._end.wait(1)
        partly = self.ranges and start > 0
        if partly and start >= len(self.body):
            handler.send_error(416)
            return
        body = self.body[start:] if partly else self.body
        sent = {"lie": body[::-1], "short": body[: len(body) // 2]}.get(answer, body)
        handler.send_response(206 if partly else 200)
        if partly:
            told = start + (answer == "elsewhere")
            handler.send_header("Content-Range", f"bytes {told}-/{len(self.body)}")
        if answer != "no length":
            handler.send_header("Content-Length", str(len(sent)))
        handler.end_headers()
        if answer.startswith("break"):
            sent = sent[: int(answer[6:] or len(sent) // 2)]
        handler.wfile.write(sent)

    def close(self) -> None:
        """From now on, connections are refused."""
        self._end.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def weights_of(server: WeightsServer, **changes: Any) -> Weights:
    """The record of the file that a server has."""
    fields = {
        "name": "net-v1",
        "file": "net.bin",
        "sha256": hashlib.sha256(server.body).hexdigest(),
        "megabytes": 1.0,
        "license": "CC0",
        "summary": "bytes",
        "url": server.url,
    }
    return Weights(**(fields | changes))


def files(folder: Path) -> list[str]:
    """All that is in a folder, hidden things included."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def arrived(folder: Path) -> list[Path]:
    """The files anywhere in a folder, but for unfinished downloads and hashes that a hub told."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in paths if path.suffix not in (".part", ".hash")]


def refuse(server: WeightsServer, *answers: str, leaving: Sequence[str] = ()) -> WeightsError:
    """The error of a fetch that must fail and leave nothing behind but what is named."""
    server.answers = answers
    with pytest.raises(WeightsError) as caught:
        fetch(weights_of(server))
    assert files(cache_folder()) == [*leaving]
    return caught.value
