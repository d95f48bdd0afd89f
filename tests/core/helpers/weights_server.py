"""A server of one file that can fail in every way."""

from __future__ import annotations

import hashlib
import threading
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

    The answers: ``well``, ``break`` (half the body, then closed), ``lie`` (other bytes of the same
    length), ``no length`` (no Content-Length), ``meet`` (well, once two requests are there),
    ``hang`` (nothing, until the test ends), or a status such as ``404``.
    """

    def __init__(self, answers: tuple[str, ...] = ("well",)) -> None:
        self.body = bytes(range(256)) * 4096  # 1 MiB, which is several chunks
        self.answers = answers
        self.requests = 0
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._meeting = threading.Barrier(2)
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

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            answer = self.answers[min(self.requests, len(self.answers) - 1)]
            self.requests += 1
        if answer.isdigit():
            handler.send_error(int(answer))
            return
        if answer == "hang":
            self._end.wait()
            return
        if answer == "meet":
            self._meeting.wait(20)
        handler.send_response(200)
        if answer != "no length":
            handler.send_header("Content-Length", str(len(self.body)))
        handler.end_headers()
        sent = {"break": self.body[: len(self.body) // 2], "lie": self.body[::-1]}
        handler.wfile.write(sent.get(answer, self.body))

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


def refuse(server: WeightsServer, *answers: str) -> WeightsError:
    """The error of a fetch that must fail and leave nothing behind."""
    server.answers = answers
    with pytest.raises(WeightsError) as caught:
        fetch(weights_of(server))
    assert files(cache_folder()) == []
    return caught.value
