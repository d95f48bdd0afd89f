"""Who is answered, and who is not."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse

from instyle_studio.guard import Guard, is_loopback

TOKEN = "a-long-secret"
OWN = {"host": "127.0.0.1:8000"}


def ask(
    path: str = "/api/session",
    headers: Any = OWN,
    *,
    method: str = "GET",
    host: str = "127.0.0.1",
) -> httpx.Response:
    """What a guarded app answers."""
    guard = Guard(PlainTextResponse("inside"), TOKEN, host, 8000)

    async def asking() -> httpx.Response:
        transport = httpx.ASGITransport(app=guard)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(asking())


def with_token(**more: str) -> dict[str, str]:
    return {**OWN, "x-instyle-token": TOKEN, **{k.replace("_", "-"): v for k, v in more.items()}}


def test_the_token_may_be_in_a_header_an_address_or_a_cookie() -> None:
    assert ask(headers=with_token()).text == "inside"
    assert ask(f"/api/session?token={TOKEN}").text == "inside"
    cookie = {**OWN, "cookie": f"a=b; instyle-studio-8000={TOKEN}"}
    assert ask(headers=cookie).text == "inside"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-instyle-token": ""},
        {"x-instyle-token": TOKEN[:-1]},
        {"x-instyle-token": f"{TOKEN}x"},
        {"x-instyle-token": TOKEN.upper()},
        {"cookie": "instyle-studio-8000="},
        {"cookie": f"instyle-studio-8001={TOKEN}"},  # of another studio
        {"cookie": f"x-instyle-studio-8000={TOKEN}"},
        {"authorization": f"Bearer {TOKEN}"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD", "OPTIONS", "TRACE"])
def test_without_the_token_nobody_is_answered(headers: dict[str, str], method: str) -> None:
    answer = ask(headers={**OWN, **headers}, method=method)
    assert answer.status_code == 401
    assert "inside" not in answer.text


@given(token=st.text(st.characters(min_codepoint=33, max_codepoint=126)))
def test_no_other_token_will_do(token: str) -> None:
    answer = ask(headers={**OWN, "x-instyle-token": token})
    assert (answer.status_code == 200) == (token == TOKEN)


def test_the_page_gets_a_cookie_and_an_address_without_the_token() -> None:
    answer = ask(f"/?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"instyle-studio-8000={TOKEN};")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {*re.split("; *", cookie)}
    assert "set-cookie" not in ask("/?token=wrong").headers


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_cookie_is_not_accepted_of_other_pages(site: str) -> None:
    cookie = {**OWN, "cookie": f"instyle-studio-8000={TOKEN}"}
    assert ask(headers={**cookie, "sec-fetch-site": site}).status_code == 401
    assert ask(headers={**cookie, "sec-fetch-site": "same-origin"}).status_code == 200
    assert ask(headers=with_token(sec_fetch_site=site)).status_code == 200  # a link to the page


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8000",
        "127.0.0.1",  # of port 80
        "127.0.0.1:8001",
        "127.0.0.1:8000.evil.example",
        "127.0.0.1:8000@evil.example:8000",
        "user@127.0.0.1:8000",
        "127.0.0.1:99999",
        "127.0.0.1:8000/x",
        "127.0.0.1.nip.io:8000",
        "localhost.evil.example:8000",
        "0.0.0.0:8000",
        "192.168.0.1:8000",
        "[::1",
    ],
)
def test_a_foreign_host_is_refused(host: str) -> None:
    answer = ask(headers=with_token(host=host))
    assert answer.status_code == 403
    assert "inside" not in answer.text


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"]
)
def test_names_of_this_machine(host: str) -> None:
    assert ask(headers=with_token(host=host)).status_code == 200


def test_two_hosts_are_none() -> None:
    headers = [("host", "127.0.0.1:8000"), ("host", "evil.example"), ("x-instyle-token", TOKEN)]
    assert ask(headers=headers).status_code == 403


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example",
        "http://evil.example:8000",
        "https://127.0.0.1:8000",
        "http://127.0.0.1:8001",
        "http://127.0.0.1",
        "http://localhost:8000",  # another origin than 127.0.0.1
        "http://127.0.0.1:8000.evil.example",
        "http://127.0.0.1:8000/path",
        "file://",
    ],
)
def test_a_foreign_origin_is_refused_even_with_the_token(origin: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert ask(headers=with_token(origin=origin), method=method).status_code == 403
    assert ask(headers=with_token(origin="http://127.0.0.1:8000"), method="POST").text == "inside"


def test_on_a_network_the_host_is_an_address_or_a_name_of_this_machine() -> None:
    for host in ("192.168.0.7:8000", "10.0.0.1:8000", "[fe80::1]:8000", "localhost:8000"):
        assert ask(headers=with_token(host=host), host="0.0.0.0").status_code == 200
    for host in ("evil.example:8000", "192.168.0.7:8001", "192.168.0.7.nip.io:8000"):
        assert ask(headers=with_token(host=host), host="0.0.0.0").status_code == 403
    assert ask(headers=with_token(host="box.local:8000"), host="box.local").status_code == 200


@pytest.mark.parametrize("headers", [OWN, {"host": "evil"}, with_token()])
def test_every_answer_has_the_headers_that_keep_a_browser_safe(headers: dict[str, str]) -> None:
    answer = ask(headers=headers)
    policy = dict(
        rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"  # the token is in an address
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers


def test_no_websocket_is_opened() -> None:
    sent: list[Any] = []

    async def connect() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        guard = Guard(PlainTextResponse("inside"), TOKEN, "127.0.0.1", 8000)
        await guard({"type": "websocket", "path": "/"}, receive, send)

    asyncio.run(connect())
    assert sent == []


def test_which_addresses_are_of_this_machine_alone() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.8.8.8", "::1", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.168.0.1", "example.org", ""]))
