"""A hub on this machine that answers as the Hugging Face hub does, or wrongly."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Serves files by their URL's path: asked for one, it tells its hash and leads to a storage.

    The storage, another host to its clients, answers as `answer` says: ``well``, ``break`` (half
    the body, then closed), ``lie`` (other bytes of the same length), or a status such as ``404``.

    Attributes:
        files: by path, such as ``/user/net/resolve/main/model.safetensors``.
        answer: see above.
        hashed: whether the hub tells hashes: the SHA-256 of a large file, and what git calls a
            small one, which here is a .json.
        tokens: those that may see the files; none if everybody may.
        asked: the files that the hub was asked for: method and path.
        shown: path and header ``Authorization`` of each GET, those to the storage included.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.answer = "well"
        self.hashed = True
        self.tokens: tuple[str, ...] = ()
        self.asked: list[tuple[str, str]] = []
        self.shown: list[tuple[str, str | None]] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub._lead(self)

            def do_GET(self) -> None:
                hub.shown.append((self.path, self.headers.get("Authorization")))
                if self.path.startswith("/storage/"):
                    hub._serve(self)
                else:
                    hub._lead(self)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def add(
        self,
        repository: str,
        body: bytes,
        revision: str = "main",
        file: str = "model.safetensors",
    ) -> None:
        """Publish a file."""
        self.files[f"/{repository}/resolve/{revision}/{file}"] = body

    def _lead(self, handler: BaseHTTPRequestHandler) -> None:
        if "/resolve/" in handler.path:  # the client asks for more than files
            self.asked.append((handler.command, handler.path))
        allowed = [f"Bearer {token}" for token in self.tokens]
        if allowed and handler.headers.get("Authorization") not in allowed:
            handler.send_error(401)
            return
        body = self.files.get(handler.path)
        if body is None:
            handler.send_error(404)
            return
        git = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
        handler.send_response(302)
        handler.send_header("Location", f"http://localhost:{self.port}/storage{handler.path}")
        handler.send_header("X-Repo-Commit", COMMIT)
        handler.send_header("ETag", f'"{git}"' if self.hashed else '"1-2-3"')
        if self.hashed and not handler.path.endswith(".json"):
            handler.send_header("X-Linked-Etag", f'"{hashlib.sha256(body).hexdigest()}"')
            handler.send_header("X-Linked-Size", str(len(body)))
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        if self.answer.isdigit():
            handler.send_error(int(self.answer))
            return
        body = self.files[handler.path.removeprefix("/storage")]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        sent = {"break": body[: len(body) // 2], "lie": body[::-1]}
        handler.wfile.write(sent.get(self.answer, body))

    def close(self) -> None:
        """From now on, connections are refused."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@contextmanager
def hub_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that is asked in place of the real one."""
    import huggingface_hub.constants as constants

    hub = Hub()
    template = "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    try:
        yield hub
    finally:
        hub.close()
