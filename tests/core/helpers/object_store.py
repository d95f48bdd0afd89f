"""An S3 server of this machine, and one that refuses whatever it is asked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

_REFUSED = (
    b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)


@contextmanager
def object_store() -> Iterator[str]:
    """The address of an S3 server that is empty."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # which tells of each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    finally:
        server.stop()


class _Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(_REFUSED)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(_REFUSED)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def refusing_store() -> Iterator[str]:
    """The address of a server that permits nothing."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def use(address: str, patch: pytest.MonkeyPatch, **more: str) -> None:
    """Have s3fs use a server, in child processes too."""
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    settings = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_ENDPOINT_URL_S3": address,
        "NO_PROXY": "127.0.0.1",
    }
    patch.delenv("AWS_PROFILE", raising=False)
    for name, value in {**settings, **more}.items():
        if value:
            patch.setenv(name, value)
        else:
            patch.delenv(name, raising=False)
