"""Who is answered: requests with the token, to this host, from this page."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Guard:
    """Lets through what has the token, names this host, and comes from no other page.

    The host is compared against DNS rebinding: a foreign name that leads to this address. The
    origin is compared against pages of others that send requests here. A browser sends the cookie
    with requests of pages on other ports of this host, too; of those, it is not accepted.

    Args:
        app: what is guarded.
        token: the secret.
        host: the address that is listened on.
        port: likewise.
    """

    def __init__(self, app: ASGIApp, token: str, host: str, port: int) -> None:
        self._app = app
        self._token = token
        self._host = host
        self._port = port
        self._cookie = f"instyle-studio-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        answer = self._refusal(scope)
        await (answer or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """What to answer instead of the app; None for a request that is let through."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_own(host):
            return _error(403, "this server does not answer under that name", hint=_OPEN)
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin) != urlsplit(f"http://{host}"):
            return _error(403, "this request comes from another page")
        query = parse_qs(scope["query_string"].decode("latin-1"))
        given = [headers.get("x-instyle-token", ""), *query.get("token", [])]
        if any(self._is_token(value) for value in given):
            if scope["path"] == "/" and "token" in query and scope["method"] == "GET":
                answer = RedirectResponse("/", status_code=303)
                answer.set_cookie(self._cookie, self._token, samesite="strict", httponly=True)
                return answer
            return None
        site = headers.get("sec-fetch-site", "none")
        if site in ("none", "same-origin") and self._is_token(self._of_cookie(headers)):
            return None
        return _error(401, "the token is missing or wrong", hint=_OPEN)

    def _is_token(self, value: str) -> bool:
        return secrets.compare_digest(value.encode("utf-8", "replace"), self._token.encode())

    def _of_cookie(self, headers: Headers) -> str:
        for header in headers.getlist("cookie"):
            for part in header.split(";"):
                name, _, value = part.strip().partition("=")
                if name == self._cookie:
                    return value
        return ""

    def _is_own(self, host: str) -> bool:
        """Whether a header ``Host`` names this server."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        if parts.username is not None or parts.path or parts.query or port != self._port:
            return False
        if is_loopback(self._host):
            return name in _LOOPBACK
        return _is_address(name) or name in ("localhost", self._host, socket.gethostname().lower())


_OPEN = "open the address that `instyle studio` has printed"


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _error(status: int, what: str, hint: str | None = None) -> Response:
    error = {"what": what, "where": None, "hint": hint}
    return JSONResponse({"error": error}, status)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
