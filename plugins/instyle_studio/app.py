"""The app: all routes, and how errors are told."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from instyle_core import PRESETS, InstyleError, did_you_mean, preset_spec
from instyle_studio import looking, painting, photos
from instyle_studio.errors import Refused, status_of, told
from instyle_studio.guard import HEADERS, Guard
from instyle_studio.requests import studio_of
from instyle_studio.studio import Studio

PAGE = Path(__file__).with_name("page")


def app_of(studio: Studio, token: str, host: str, port: int, *, page: bool = True) -> Starlette:
    """The app of a server.

    Args:
        studio: what it has.
        token: without which it answers nobody.
        host: the address that is listened on.
        port: likewise.
        page: whether to serve the page, too.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        studio.start()
        try:
            yield
        finally:
            await studio.close()

    routes: list[BaseRoute] = [
        Route("/api/session", session),
        Route("/api/plugins", plugins),
        Route("/api/schema", schema),
        Route("/api/presets/{name}", preset),
        *photos.routes(),
        *looking.routes(),
        *painting.routes(),
    ]
    if page:
        # Not as the system has them: a browser runs modules of this type alone.
        mimetypes.add_type("text/javascript", ".js")
        routes.append(Mount("/", Page(directory=PAGE, html=True)))
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, token=token, host=host, port=port)],
        exception_handlers={
            InstyleError: _instyle_error,
            HTTPException: _http_error,
            ClientDisconnect: _gone,
            OSError: _disk_error,
            Exception: _any_error,
        },
        lifespan=lifespan,
    )
    app.state.studio = studio
    return app


class Page(StaticFiles):
    """The files of the page: a browser asks each time whether they have changed."""

    def file_response(self, *arguments, **more) -> Response:  # type: ignore[no-untyped-def]
        response = super().file_response(*arguments, **more)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def session(request: Request) -> Response:
    """What there is, and what the page begins with."""
    return JSONResponse(studio_of(request).facts())


async def plugins(request: Request) -> Response:
    """All installed plugins, by kind."""
    studio = studio_of(request)
    return JSONResponse(await asyncio.to_thread(lambda: studio.plugins))


async def schema(request: Request) -> Response:
    """The JSON Schema of specs."""
    studio = studio_of(request)
    return JSONResponse(await asyncio.to_thread(lambda: studio.schema))


async def preset(request: Request) -> Response:
    """A preset."""
    name = request.path_params["name"]
    if name not in PRESETS:
        hint = did_you_mean(name, PRESETS) or f"there are: {', '.join(PRESETS)}"
        raise Refused(404, f"no preset is called '{name}'", hint=hint)
    return JSONResponse({"spec": preset_spec(name)})


def _instyle_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, InstyleError)
    return JSONResponse({"error": told(error)}, status_of(error))


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = {404: "there is nothing here", 405: "this cannot be done here"}.get(
        error.status_code, error.detail
    )
    body = {"error": {"what": what, "where": request.url.path, "hint": None}}
    return JSONResponse(body, error.status_code, headers=dict(error.headers or {}))


def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


def _disk_error(request: Request, error: Exception) -> Response:
    reason = getattr(error, "strerror", None) or type(error).__name__
    hint = "make room, or look at the permissions of the session's folder"
    facts = {"what": f"a file cannot be read or written: {reason}", "where": None, "hint": hint}
    return JSONResponse({"error": facts}, 507)


def _any_error(request: Request, error: Exception) -> Response:
    """What should not happen; where it did is told in the terminal alone."""
    hint = "the terminal of the studio shows where it did"
    body = {"error": {"what": "this should not happen", "where": None, "hint": hint}}
    return JSONResponse(body, 500, headers=HEADERS)
