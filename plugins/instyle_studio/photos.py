"""The routes of photos, styles and masks."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from instyle_core import InputError, InstyleError, read_header
from instyle_studio.errors import Refused, status_of
from instyle_studio.process import PATIENT, URGENT, USUAL
from instyle_studio.requests import name_of, save_body, studio_of
from instyle_studio.session import Item, write_about
from instyle_studio.specs import clean
from instyle_studio.studio import Studio

#: An ID is never given to anything else.
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}

#: Bytes of a file that are read and sent at once.
_PART = 2**18

TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".jp2": "image/jp2",
}


def picture(path: Path, *, name: str = "", forever: bool = False) -> StreamingResponse:
    """A picture's file.

    Args:
        path: the file.
        name: what a browser is to call it when it saves it; empty to show it.
        forever: whether the address always stands for this file.
    """
    headers = dict(_FOREVER) if forever else {"Cache-Control": "no-cache"}
    if name:
        headers |= saved_as(name)
    kind = TYPES.get(path.suffix.lower(), "application/octet-stream")
    return sent(path.open("rb"), kind, headers)


def saved_as(name: str) -> dict[str, str]:
    """The header that has a browser save a file, and under which name."""
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(clean(name))}"}


def sent(file: BinaryIO, kind: str, headers: Mapping[str, str]) -> StreamingResponse:
    """An open file, part by part; it is closed then.

    It is whole whatever happens to its name meanwhile. Starlette's own `FileResponse` asks for the
    size first and opens the file later: one that is replaced in between breaks off.

    Args:
        file: the whole of it is sent.
        kind: its media type.
        headers: besides its type and length.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)

    def parts() -> Iterator[bytes]:
        with file:
            while part := file.read(_PART):
                yield part

    headers = {**headers, "Content-Length": str(size)}
    return StreamingResponse(parts(), media_type=kind, headers=headers)


async def upload(request: Request) -> Response:
    """Keep a photo or a style, once it has been decoded."""
    studio, kind = studio_of(request), _kind(request)
    limits = studio.limits
    with studio.session.making(kind) as (identity, folder):
        received = folder / "received"
        await save_body(request, received, limits.upload_bytes)
        name = name_of(request, kind[:-1])
        try:
            suffix, about = await asyncio.to_thread(studio.session.describe, received, name)
            await _shrink(studio, received, folder / "shown.webp", limits.shown, URGENT)
        except InstyleError as error:
            raise _no_picture(studio, error, received, name) from error
        os.replace(received, folder / f"file{suffix}")
        about = {"id": identity, **about}
        write_about(folder, about)
    return JSONResponse(about, 201)


def _no_picture(studio: Studio, error: InstyleError, path: Path, name: str) -> InstyleError:
    """What to say of a file that cannot be used: it is too large, or no picture."""
    if error.exit_status != 2:
        return error
    status = 415
    with suppress(InputError):
        height, width = read_header(path, math.inf).size
        if height * width > studio.limits.megapixels * 1e6:
            status = 413
    return Refused(status, error.what, where=name, hint=error.hint)


async def _shrink(studio: Studio, path: Path, to: Path, longest: int, urgency: int) -> None:
    request = {"do": "shrink", "path": str(path), "to": str(to), "longest": longest}
    await studio.looker.ask(request, urgency=urgency)


async def listed(request: Request) -> Response:
    """All photos, or all styles."""
    items = studio_of(request).session.items(_kind(request))
    return JSONResponse([dict(item.about) for item in items])


def _kind(request: Request) -> str:
    return request.url.path.split("/")[2]


def _item(request: Request) -> Item:
    return studio_of(request).session.item(_kind(request), request.path_params["id"])


async def shown(request: Request) -> Response:
    """A picture as the page shows it."""
    item, studio = _item(request), studio_of(request)
    if not item.shown.exists():
        await _shrink(studio, item.path, item.shown, studio.limits.shown, USUAL)
    return picture(item.shown, forever=True)


async def thumbnail(request: Request) -> Response:
    """A picture, small."""
    item, studio = _item(request), studio_of(request)
    if not item.thumbnail.exists():
        await _shrink(studio, item.path, item.thumbnail, studio.limits.thumbnail, PATIENT)
    return picture(item.thumbnail, forever=True)


async def file(request: Request) -> Response:
    """The upload, byte for byte."""
    item = _item(request)
    name = str(item.about.get("name", "")) if "download" in request.query_params else ""
    return picture(item.path, name=name, forever=True)


async def upload_mask(request: Request) -> Response:
    """Keep a mask for a photo."""
    studio = studio_of(request)
    photo = studio.session.item("photos", request.query_params.get("photo", ""))
    with studio.session.scratch() as folder:
        received = folder / "mask"
        await save_body(request, received, studio.limits.upload_bytes)
        name = name_of(request, "")
        size = (photo.about["height"], photo.about["width"])
        asked = {"path": str(received), "photo_id": photo.id, "size": size, "name": name}
        try:
            await asyncio.to_thread(studio.session.describe, received, name)
            answer = await studio.looker.ask({"do": "mask", **asked}, urgency=URGENT)
        except InstyleError as error:
            raise _no_mask(studio, error, received, name or "the mask") from error
    return JSONResponse(answer, 201)


def _no_mask(studio: Studio, error: InstyleError, path: Path, name: str) -> InstyleError:
    """As `_no_picture`; but what is a picture, and still cannot be used, is a wrong mask."""
    refused = _no_picture(studio, error, path, name)
    try:
        read_header(path, studio.limits.megapixels)
    except InputError:
        return refused
    return Refused(status_of(error), error.what, where=name, hint=error.hint)


async def mask(request: Request) -> Response:
    """A mask, gray."""
    item = studio_of(request).session.item("masks", request.path_params["id"])
    small = "shown" in request.query_params and item.shown.exists()
    name = "mask.png" if "download" in request.query_params else ""
    return picture(item.shown if small else item.path, name=name, forever=True)


async def cutout(request: Request) -> Response:
    """The object of a mask alone, of a photo or of the result of a run."""
    studio = studio_of(request)
    item = studio.session.item("masks", request.path_params["id"])
    if "run" in request.query_params:
        run = studio.runs.get(request.query_params["run"])
        source = run.result
        if source is None:
            raise Refused(409, "this run has no result yet", hint="wait until it has one")
    else:
        source = studio.session.item("photos", request.query_params.get("photo", "")).path
    with studio.session.scratch() as folder:
        to = folder / "cutout.png"
        asked = {"path": str(source), "mask": str(item.path), "to": str(to)}
        await studio.looker.ask({"do": "cutout", **asked}, urgency=USUAL)
        return picture(to, name="cutout.png")


async def demo(request: Request) -> Response:
    """Put instyle's own photo of a cat and its painting into the session, for a first try."""
    session = studio_of(request).session

    def add(kind: str, name: str) -> dict[str, Any]:
        with as_file(files("instyle_core").joinpath("demo", name)) as path:
            return dict(session.add(kind, path, name).about)

    photo = await asyncio.to_thread(add, "photos", "cat.png")
    style = await asyncio.to_thread(add, "styles", "swirls.jpg")
    return JSONResponse({"photo": photo, "style": style}, 201)


def routes() -> list[Route]:
    """The routes."""
    found = [
        Route("/api/demo", demo, methods=["POST"]),
        Route("/api/masks", upload_mask, methods=["POST"]),
        Route("/api/masks/{id}", mask),
        Route("/api/masks/{id}/cutout", cutout),
    ]
    for kind in ("photos", "styles"):
        found += [
            Route(f"/api/{kind}", upload, methods=["POST"]),
            Route(f"/api/{kind}", listed),
            Route(f"/api/{kind}/{{id}}", shown),
            Route(f"/api/{kind}/{{id}}/thumbnail", thumbnail),
            Route(f"/api/{kind}/{{id}}/file", file),
        ]
    return found
