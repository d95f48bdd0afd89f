"""Fixtures: the command line; and for weights a cache, and a server that can fail in every way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from instyle_core.cli import main
from tests.core.commands import Command, Done
from tests.core.studio import Studio


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A folder in which the toy plugin is at work."""
    return Studio.open(tmp_path, monkeypatch)


@pytest.fixture
def instyle(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process. There is no terminal, whatever the tests run in."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Done(int(caught.value.code or 0), printed.out, printed.err)

    return run


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


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder; and no waiting between attempts."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("INSTYLE_CACHE", str(folder))
    monkeypatch.delenv("INSTYLE_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("instyle_core.weights.download._PAUSES_S", (0, 0))
    return folder


@pytest.fixture
def server(cache: Path) -> Iterator[WeightsServer]:
    server = WeightsServer()
    yield server
    server.close()
