"""Starts the server, and ends it so that nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
import uvicorn

from instyle_core import InputError, InstyleError, StyleFolder, try_lock
from instyle_studio.app import app_of
from instyle_studio.guard import is_loopback
from instyle_studio.process import Worker
from instyle_studio.runs import Runs
from instyle_studio.session import Limits, Session
from instyle_studio.studio import Studio

#: The port to listen on where none is asked for, if it is free.
PORT = 8017

#: Seconds that a run gets, when the server ends, to save what it has; where the session is kept.
_PATIENCE_S = 20.0

#: Seconds that a client gets, when the server ends, to take the answer to a request.
_GRACE_S = 1.0


def serve(
    *,
    photo: Path | None,
    folders: Sequence[Path],
    folder: Path | None,
    host: str,
    port: int | None,
    browser: bool,
    page: bool,
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        photo: to begin with.
        folders: of style pictures.
        folder: of the session; None for a temporary one.
        host: the address to listen on.
        port: likewise; 0 for any.
        browser: whether to open one.
        page: whether to serve the page, too.

    Raises:
        InputError: one of them cannot be used.
    """
    limits = Limits()
    styles = [StyleFolder.open(each.absolute()).path for each in folders]
    with listening(host, port) as listener, _folder(folder) as root:
        session = Session(root, styles, limits.megapixels)
        first = session.add("photos", photo, photo.name).id if photo else None
        token = secrets.token_urlsafe(24)
        is_kept = folder is not None
        with _ended_by_signals():
            asyncio.run(
                _serve(session, limits, first, token, listener, host, browser, page, is_kept)
            )


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Ends the block at Ctrl-C, SIGTERM and SIGHUP, and goes on behind it.

    uvicorn ends at the first two, and then sends the signal again.
    """
    names = ("SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGTERM:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGTERM)  # while it serves, uvicorn has this one


async def _serve(
    session: Session,
    limits: Limits,
    photo: str | None,
    token: str,
    listener: socket.socket,
    host: str,
    browser: bool,
    page: bool,
    is_kept: bool,
) -> None:
    looker, painter = (
        Worker(role, session.root, limits.megapixels) for role in ("looker", "painter")
    )
    runs = Runs(session, painter)
    patience = _PATIENCE_S if is_kept else 0.0
    studio = Studio(session, limits, looker, painter, runs, photo, patience)
    port = listener.getsockname()[1]
    app = app_of(studio, token, host, port, page=page)
    config = uvicorn.Config(
        app,
        log_level="warning",
        lifespan="on",
        ws="none",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=500,
    )
    server = _Server(config, studio)
    address = f"http://{_name(host)}:{port}/?token={token}"
    if not is_loopback(host):
        click.echo(
            f"warning: whoever reaches {host} and has the token can use this, and the network in "
            "between reads along; it is meant for a network that you trust",
            err=True,
        )
    click.echo(address)
    if browser:
        asyncio.get_running_loop().call_later(0.3, _open, address)
    await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that waits for no client when it ends.

    uvicorn would wait for all requests, or cancel them, each with a traceback, before the studio
    is closed. So that is done first: whoever waits for a worker, or for the events of a run, gets
    an answer. Then it hangs up on those who do not take theirs, or do not send on.
    """

    def __init__(self, config: uvicorn.Config, studio: Studio) -> None:
        super().__init__(config)
        self._studio = studio

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._studio.close()
        if self.server_state.tasks:
            await asyncio.wait([*self.server_state.tasks], timeout=_GRACE_S)
        for connection in [*self.server_state.connections]:
            connection.transport.abort()
        await super().shutdown(sockets)


def _open(address: str) -> None:
    """Open a browser, without waiting for it."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _name(host: str) -> str:
    """An address as it stands in a link."""
    name = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"[{name}]" if ":" in name else name


@contextmanager
def listening(host: str, port: int | None) -> Iterator[socket.socket]:
    """A socket that listens.

    Raises:
        InputError: there is no such address, or the port is taken.
    """
    attempts = [PORT, 0] if port is None else [port]
    for attempt in attempts:
        try:
            found = socket.getaddrinfo(host, attempt, type=socket.SOCK_STREAM)[0]
            listener = socket.socket(found[0], found[1])
        except (OSError, UnicodeError) as error:
            raise InputError(f"there is no address {host}: {error}", where="--host") from error
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(found[4])
            listener.listen()  # only now nobody else can have the port
        except OSError as error:
            listener.close()
            if attempt != attempts[-1]:
                continue
            what = f"the port {attempt} of {host} cannot be used: {error.strerror or error}"
            raise InputError(what, where="--port", hint="choose another, or 0 for any") from error
        with listener:
            yield listener
        return


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    """The folder of the session: a temporary one, or one that is kept, for this server alone.

    Raises:
        InstyleError: another server has it, or it cannot be made.
    """
    if kept is None:
        with tempfile.TemporaryDirectory(
            prefix="instyle-studio-", ignore_cleanup_errors=True
        ) as made:
            yield Path(made)
        return
    try:
        kept.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(kept, os.O_RDONLY)
    except OSError as error:
        what = f"this folder cannot be used: {error.strerror or error}"
        raise InputError(what, where=str(kept), hint="choose another with --session") from error
    try:
        if try_lock(descriptor) is False:
            what = "another studio is at work with this session"
            raise InstyleError(what, where=str(kept), hint="end it first, or choose another folder")
        yield kept
    finally:
        os.close(descriptor)
