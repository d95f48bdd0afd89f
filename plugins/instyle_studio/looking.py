"""The routes that look: objects of a photo, and which styles suit one."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from instyle_core import InstyleError
from instyle_studio.process import PATIENT, URGENT, USUAL
from instyle_studio.requests import RankBody, SegmentBody, json_of, studio_of
from instyle_studio.session import Item
from instyle_studio.specs import inside
from instyle_studio.studio import Studio

#: So many styles are rated at once; between two lots, a click is answered.
_LOT = 4

#: So many scores are kept.
_MOST_SCORES = 10_000


async def segment(request: Request) -> Response:
    """Find the object that is meant, or all objects."""
    studio, body = studio_of(request), await json_of(request, SegmentBody)
    session = studio.session
    photo = session.item("photos", body.photo)
    asked = {
        "photo": str(photo.path),
        "photo_id": photo.id,
        "segmenter": inside(session, body.segmenter),
        "refine": inside(session, body.refine),
    }
    if body.all:
        return JSONResponse(await studio.looker.ask({"do": "everything", **asked}, urgency=USUAL))
    asked["select"] = body.select
    return JSONResponse(await studio.looker.ask({"do": "find", **asked}, urgency=URGENT))


async def rank(request: Request) -> Response:
    """All styles with their scores for an object, best first; those without one come last."""
    studio, body = studio_of(request), await json_of(request, RankBody)
    session = studio.session
    photo = session.item("photos", body.photo)
    mask = session.item("masks", body.mask) if body.mask else None
    ranker = inside(session, body.ranker)
    styles = session.items("styles")
    of = (photo.id, mask.id if mask else None, json.dumps(ranker, sort_keys=True))
    await _rate(studio, styles, photo, mask, ranker, of)
    scores = {style.id: studio.scores.get((*of, style.id)) for style in styles}
    found = [{"style": style, "score": score} for style, score in scores.items()]
    found.sort(key=lambda row: (row["score"] is None, row["score"] or 0.0))
    return JSONResponse(found)


async def _rate(
    studio: Studio,
    styles: list[Item],
    photo: Item,
    mask: Item | None,
    ranker: object,
    of: tuple[str, str | None, str],
) -> None:
    """Have the styles rated that were not yet.

    Raises:
        InstyleError: none of them can be.
    """
    if len(studio.scores) > _MOST_SCORES:
        studio.scores.clear()
    missing = {str(s.path): s.id for s in styles if (*of, s.id) not in studio.scores}
    paths = list(missing)
    failure: InstyleError | None = None
    for start in range(0, len(paths), _LOT):
        asked = {"photo": str(photo.path), "mask": str(mask.path) if mask else None}
        lot = {"pictures": paths[start : start + _LOT], "ranker": ranker}
        try:
            rated = await studio.looker.ask({"do": "rank", **asked, **lot}, urgency=PATIENT)
        except InstyleError as error:
            failure = error
            continue
        studio.scores |= {(*of, missing[path]): score for path, score in rated}
    if failure and not any((*of, style.id) in studio.scores for style in styles):
        raise failure


def routes() -> list[Route]:
    """The routes."""
    return [
        Route("/api/segment", segment, methods=["POST"]),
        Route("/api/rank", rank, methods=["POST"]),
    ]
