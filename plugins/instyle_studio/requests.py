"""Reading requests: bodies of limited size that come in time, and JSON of the right shape."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from instyle_studio.errors import Refused

if TYPE_CHECKING:
    from instyle_studio.studio import Studio

Id = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]

#: A plugin as a spec names it: its name, or a mapping with ``use`` and parameters.
Named = str | dict[str, Any] | None


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SegmentBody(_Body):
    """What `POST /api/segment` takes."""

    photo: Id
    select: dict[str, Any] = {}
    segmenter: Named = None
    refine: Named = None
    all: bool = False


class RankBody(_Body):
    """What `POST /api/rank` takes."""

    photo: Id
    mask: Id | None = None
    ranker: Named = None


class SpecBody(_Body):
    """What `POST /api/specs` takes, unless it is YAML."""

    spec: dict[str, Any]
    preview: bool = False


class ContinueBody(_Body):
    """What `POST /api/runs/ID/continue` takes."""

    spec: dict[str, Any] | None = None
    preview: bool = False


Body = TypeVar("Body", bound=_Body)


def studio_of(request: Request) -> Studio:
    """What the server has."""
    found: Studio = request.app.state.studio
    return found


async def bytes_of(request: Request, most: int) -> bytes:
    """The body of a request.

    Raises:
        Refused: it is larger than `most` bytes, or does not come.
    """
    parts = bytearray()
    async for chunk in _chunks(request, most):
        parts += chunk
    return bytes(parts)


async def save_body(request: Request, path: Path, most: int) -> None:
    """Write the body of a request to a file; otherwise as `bytes_of`."""
    with path.open("wb") as file:
        async for chunk in _chunks(request, most):
            await asyncio.to_thread(file.write, chunk)


async def _chunks(request: Request, most: int) -> Any:
    seconds = studio_of(request).limits.seconds
    told = request.headers.get("content-length", "0")
    received = int(told) if told.isascii() and told.isdecimal() and len(told) < 20 else 0
    stream = request.stream()
    if received > most:
        raise _too_large(most)
    received = 0
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), seconds)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise Refused(408, f"nothing came for {seconds:g} seconds", hint="try again") from error
        received += len(chunk)
        if received > most:
            raise _too_large(most)
        yield chunk


def _too_large(most: int) -> Refused:
    return Refused(413, f"this has more than {most:,} bytes", hint="make it smaller")


async def json_of(request: Request, model: type[Body]) -> Body:
    """The JSON of a request, checked.

    Raises:
        Refused: it is none, or has the wrong shape.
    """
    data = await bytes_of(request, studio_of(request).limits.json_bytes)
    try:
        return model.model_validate(json.loads(data or b"{}"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or None
        raise Refused(422, f"{first['msg']}", where=where, hint=_SHAPES) from error
    except (ValueError, RecursionError) as error:
        raise Refused(422, "the body of the request is no JSON", hint=_SHAPES) from error


_SHAPES = "docs/studio.md has the form of each request"


def name_of(request: Request, other: str) -> str:
    """The name of an uploaded file, which is data and never a path."""
    name = unquote(request.headers.get("x-name", ""), errors="replace")
    return "".join(c for c in name if c.isprintable())[:200] or other
