"""Bodies of requests: of the wrong shape, too large, half, slow; nothing is left of them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.helpers.studio import noise
from tests.plugins.instyle_studio.conftest import Things
from tests.plugins.instyle_studio.serving import Server, png

JSON = ["/api/segment", "/api/rank", "/api/specs", "/api/runs"]
UPLOADS = ["/api/photos", "/api/styles"]

BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"1",
    b'"x"',
    b"NaN",
    b"\xff\xfe{}",
    b"{}",
    b'{"photo": 1}',
    b'{"photo": null}',
    b'{"photo": ["0123456789abcdef"]}',
    b'{"photo": "../../etc/passwd"}',
    b'{"photo": "0123456789abcdef\\n"}',
    b'{"photo": "0123456789abcdef", "select": []}',
    b'{"photo": "0123456789abcdef", "all": "yes"}',
    b'{"photo": "0123456789abcdef", "surprise": 1}',
    b'{"spec": []}',
    b'{"spec": null}',
    b'{"spec": "x"}',
    b'{"spec": {}, "preview": 1}',
    b'{"spec": {}, "surprise": 1}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"spec": ' + b'{"a":' * 2000 + b"1" + b"}" * 2001,
    b'{"spec": {"content": ' + b"9" * 5000 + b"}}",
]


@pytest.mark.parametrize("path", JSON)
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_json_of_the_wrong_shape(server: Server, path: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = server.client.post(path, content=body, headers=headers)
    if path == "/api/specs" and answer.status_code == 200:
        assert answer.json()["errors"]
        return
    server.refusal(answer, 404, 422)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=25)
@given(select=json_values, segmenter=json_values, refine=json_values)
def test_any_selection_is_answered(
    server: Server, things: Things, select: object, segmenter: object, refine: object
) -> None:
    body = {"photo": things.photo, "select": select, "segmenter": segmenter, "refine": refine}
    answer = server.client.post("/api/segment", content=json.dumps(body))
    assert answer.status_code in (200, 422)
    if answer.status_code == 422:
        server.refusal(answer, 422)


@settings(max_examples=15)
@given(spec=st.dictionaries(st.sampled_from(["content", "objects", "style", "size"]), json_values))
def test_any_spec_is_answered(server: Server, spec: object) -> None:
    runs = len(list((server.session / "runs").iterdir()))
    server.refusal(server.client.post("/api/runs", content=json.dumps({"spec": spec})), 422)
    assert len(list((server.session / "runs").iterdir())) == runs


def test_json_that_is_too_large(server: Server) -> None:
    body = b'{"spec": {"a": "' + b"x" * 1_100_000 + b'"}}'
    server.refusal(server.client.post("/api/runs", content=body), 413)


# --- uploads --------------------------------------------------------------------------------------


def listing(server: Server) -> set[str]:
    """Everything that lies in the folder of the session, while it may be changing."""
    walk = os.walk(server.session)
    return {os.path.join(at, name) for at, folders, files in walk for name in folders + files}


@pytest.mark.parametrize("path", UPLOADS)
def test_too_many_bytes_are_refused_whether_they_are_announced_or_not(
    server: Server, path: str
) -> None:
    before = listing(server)
    server.refusal(server.client.post(path, content=b"x" * 2_000_001), 413)

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 100_000

    # It may close the connection before the client has done.
    with contextlib.suppress(httpx.NetworkError, httpx.RemoteProtocolError):
        server.refusal(server.client.post(path, content=endless()), 413)
    settle(server, before)


def settle(server: Server, before: set[str]) -> None:
    """Wait until nothing is left but what was there before."""
    for _ in range(200):
        if listing(server) == before:
            return
        time.sleep(0.05)
    assert listing(server) == before


def begun(server: Server, path: str, length: int) -> socket.socket:
    """A request whose body is yet to come."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    head = [
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        f"X-Instyle-Token: {server.token}",
        f"Content-Length: {length}",
    ]
    connection.sendall("\r\n".join([*head, "", ""]).encode())
    return connection


@pytest.mark.parametrize("path", [*UPLOADS, "/api/masks?photo=PHOTO", "/api/runs"])
def test_half_an_upload_leaves_nothing(server: Server, things: Things, path: str) -> None:
    before = listing(server)
    data = png(noise())
    with begun(server, path.replace("PHOTO", things.photo), len(data)) as connection:
        connection.sendall(data[: len(data) // 2])
        time.sleep(0.2)
    settle(server, before)
    assert server.get("/api/session").json()["version"]


def test_a_slow_client_is_given_up_and_keeps_nobody_waiting(server: Server) -> None:
    before = listing(server)
    slow = [begun(server, "/api/photos", 1000) for _ in range(20)]
    for connection in slow:
        connection.sendall(b"x")
    assert server.get("/api/session").json()["version"]  # meanwhile
    for connection in slow:
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
        connection.close()
    settle(server, before)


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/cron.d/x.png",
        "/etc/passwd",
        "..\\..\\windows\\x.png",
        "a\x00b.png",
        "<script>alert(1)</script>.png",
        "x" * 5000,
        "%2e%2e%2f%2e%2e%2fx",
        "\r\nSet-Cookie: a=b",
        ".",
        "CON",
        "Ölbild \U0001f3a8.png",
    ],
)
def test_a_name_from_outside_is_never_a_path(server: Server, name: str, tmp_path: Path) -> None:
    from urllib.parse import quote

    data = png(noise())
    headers = {"X-Name": quote(name)}
    about = server.ask("POST", "/api/photos", 201, content=data, headers=headers).json()
    folder = server.session / "photos" / about["id"]
    assert {path.name for path in folder.iterdir()} == {"file.png", "about.json", "shown.webp"}
    assert len(about["name"]) <= 200
    assert about["name"].isprintable()
    answer = server.get(f"/api/photos/{about['id']}/file?download")
    assert answer.content == data
    offered = answer.headers["content-disposition"]
    assert offered.startswith("attachment; filename*=UTF-8''")
    assert not {"/", "\\", "\n", "<"} & {*offered}
