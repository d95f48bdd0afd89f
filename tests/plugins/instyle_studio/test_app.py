"""Every address of the server: attacked in the same ways, and answered in the same form."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.routing import Route

from instyle_studio import looking, painting, photos
from instyle_studio.app import PAGE
from tests.core.helpers.studio import noise
from tests.plugins.instyle_studio.conftest import Things
from tests.plugins.instyle_studio.serving import Server, png

_OWN = ["/api/session", "/api/plugins", "/api/schema", "/api/presets/{name}"]

#: Each method with each address.
ENDPOINTS = [("GET", path) for path in ["/", "/index.html", *_OWN]] + [
    (method, route.path)
    for route in (*photos.routes(), *looking.routes(), *painting.routes())
    if isinstance(route, Route)
    for method in sorted(route.methods or ())
    if method != "HEAD"
]
OF_ONE = [(method, path) for method, path in ENDPOINTS if "{id}" in path]


def filled(path: str, value: str = "0123456789abcdef") -> str:
    return re.sub(r"\{[^}]*\}", value, path)


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_without_the_token(server: Server, method: str, path: str) -> None:
    headers = {"X-Instyle-Token": ""}
    answer = server.client.request(method, filled(path), headers=headers, content=b"{}")
    assert answer.status_code == 401
    server.refusal(answer, 401)


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_under_a_foreign_name_or_from_a_foreign_page(
    server: Server, method: str, path: str
) -> None:
    for header in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        answer = server.client.request(method, filled(path), headers=header, content=b"{}")
        server.refusal(answer, 403)


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_by_a_wrong_method(server: Server, method: str, path: str) -> None:
    for other in ("PUT", "PROPFIND"):
        server.refusal(server.client.request(other, filled(path)), 404, 405)


@pytest.mark.parametrize(("method", "path"), OF_ONE)
def test_an_id_that_there_is_not(server: Server, method: str, path: str) -> None:
    for value in NO_IDS:
        answer = raw(server, method, filled(path, value))
        assert re.match(rb"HTTP/1.1 (404|405|400) ", answer), answer[:200]
        assert b"root:" not in answer
        assert b"Traceback" not in answer


NO_IDS = [
    "0123456789abcdef",  # there is none
    "0123456789ABCDEF",
    "..",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%00",
    "%ff",
    "a" * 3000,
    ".0123456789abcdef",
]

PASSWD = "/etc/passwd"


@pytest.mark.parametrize("root", ["/", "/api/files/", "/api/photos/", "/api/runs/x/", "/page/"])
@pytest.mark.parametrize(
    "way",
    [
        f"../../../../../../..{PASSWD}",
        f"..%2f..%2f..%2f..%2f..%2f..%2f..%2f{PASSWD[1:]}",
        f"%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e{PASSWD}",
        f"/{PASSWD}",
        f"%2f{PASSWD[1:]}",
        f"....//....//....//..../{PASSWD}",
        f"..\\..\\..\\..{PASSWD}",
        "../app.py",
        "..%2fapp.py",
        "../session.py%00.html",
    ],
)
def test_no_path_leads_out(server: Server, root: str, way: str) -> None:
    answer = raw(server, "GET", root + way)
    assert re.match(rb"HTTP/1.1 (404|400|405|307) ", answer), answer[:200]
    assert b"root:" not in answer
    assert b"import" not in answer


def test_files_of_a_session_that_no_report_shows(server: Server, things: Things) -> None:
    assert (server.session / "photos" / things.photo / "about.json").is_file()
    for name in (
        f"photos/{things.photo}/about.json",
        f"photos/{things.photo}/shown.webp",
        f"masks/{things.mask}/mask.png",
        f"photos/{things.photo}/",
        "photos",
        "",
    ):
        server.refusal(server.client.get(f"/api/files/{name}"), 404)
    whole = f"/api/files/photos/{things.photo}/file.png"
    assert server.get(whole).content == png(noise())


def raw(server: Server, method: str, path: str) -> bytes:
    """The answer to a path that is sent as it is; clients would tidy it up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}",
            f"X-Instyle-Token: {server.token}",
            "Content-Length: 0",
            "Connection: close",
        ]
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    "data", [b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n", b"G" * 100_000, b"\r\n" * 1000]
)
def test_what_is_no_http_harms_nobody(server: Server, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert server.get("/api/session").json()["version"]


def test_the_page_and_its_types(server: Server) -> None:
    answer = server.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.content == (PAGE / "index.html").read_bytes()
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for path in (path for path in PAGE.rglob("*") if path.suffix in types):
        answer = server.get(f"/{path.relative_to(PAGE).as_posix()}")
        assert answer.headers["content-type"].startswith(types[path.suffix])
        assert "'unsafe" not in answer.headers["content-security-policy"]
    tag = answer.headers["etag"]
    assert server.get(str(answer.url), 304, headers={"If-None-Match": tag}).content == b""


def test_the_session(server: Server, things: Things) -> None:
    found = server.get("/api/session").json()
    assert things.photo in [photo["id"] for photo in found["photos"]]
    assert found["limits"] == {"upload_bytes": 2_000_000, "megapixels": 4}
    assert found["presets"][0] == "default"
    assert found["photo"] is None
    assert [folder["name"] for folder in found["folders"]] == ["styles"]
    styles = {style["name"]: style.get("folder", False) for style in found["styles"]}
    # Nothing but pictures, and none that lies outside of the folder.
    assert {name for name, of_folder in styles.items() if of_folder} == {"noise.png", "red.png"}


def test_presets(server: Server) -> None:
    for name in server.get("/api/session").json()["presets"]:
        spec = server.get(f"/api/presets/{name}").json()["spec"]
        assert spec["version"] == 1
        assert spec["objects"]
    paper = server.get("/api/presets/paper").json()["spec"]
    assert paper["losses"][2]["weight"] == 10000  # 1e4, a number
    answer = server.client.get("/api/presets/draf")
    assert "'draft'" in server.refusal(answer, 404)["hint"]


def test_fifty_clients_at_once(server: Server, things: Things) -> None:
    def client(number: int) -> list[int]:
        headers = {"X-Instyle-Token": server.token}
        with httpx.Client(base_url=server.address, headers=headers, timeout=120) as own:
            data = png(noise(20, 20 + number))
            uploaded = own.post("/api/photos", content=data)
            photo = uploaded.json()["id"]
            again = own.get(f"/api/photos/{photo}/file")
            assert again.content == data
            stencil = {"use": "mask", "path": f"mask:{things.mask}"}
            asked = {"photo": things.photo, "segmenter": stencil}
            found = own.post("/api/segment", json=asked)
            assert found.json()["objects"][0]["box"] == [20, 10, 41, 31]
            return [uploaded.status_code, again.status_code, found.status_code]

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(client, range(50))) == [[201, 200, 200]] * 50
