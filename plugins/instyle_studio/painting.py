"""The routes of specs and runs."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from instyle_core import InputError, InstyleError
from instyle_studio.errors import Refused, not_found
from instyle_studio.photos import picture, saved_as, sent
from instyle_studio.process import USUAL
from instyle_studio.requests import ContinueBody, SpecBody, bytes_of, json_of, studio_of
from instyle_studio.runs import Run
from instyle_studio.session import Session
from instyle_studio.specs import bundle, dump, prepare, problems


async def specs(request: Request) -> Response:
    """Check a spec, as YAML or as JSON, and tell it in both forms."""
    studio = studio_of(request)
    written: str | Mapping[str, Any]
    if request.headers.get("content-type", "").startswith("application/json"):
        written = (await json_of(request, SpecBody)).spec
    else:
        try:
            written = (await bytes_of(request, studio.limits.json_bytes)).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused(422, "this is no text", hint="a spec is a text in UTF-8") from error
    return JSONResponse(await asyncio.to_thread(_checked, studio.session, written))


def _checked(session: Session, written: str | Mapping[str, Any]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    with session.scratch() as folder:
        try:
            prepare(session, written, folder, seen=seen)
        except InstyleError as error:
            errors = _without(problems(error), folder)
        try:
            text = bundle(session, {**seen, "output": "result.png"}, folder)[0]
        except InputError:
            text = dump(seen)
    return {"spec": seen or None, "yaml": text if seen else None, "errors": errors}


def _without(facts: Any, folder: Path) -> Any:
    """Errors without the name of the folder that a spec was checked in."""
    text = json.dumps(facts)
    return json.loads(text.replace(json.dumps(f"{folder}/")[1:-1], ""))


async def start(request: Request) -> Response:
    """Put a run into the queue."""
    studio, body = studio_of(request), await json_of(request, SpecBody)
    run = await studio.runs.add(body.spec, preview=body.preview)
    return JSONResponse(studio.told(run), 202)


async def listed(request: Request) -> Response:
    """All runs."""
    studio = studio_of(request)
    return JSONResponse([studio.told(run) for run in studio.runs.all()])


def _run(request: Request) -> Run:
    return studio_of(request).runs.get(request.path_params["id"])


async def one(request: Request) -> Response:
    """A run."""
    return JSONResponse(studio_of(request).told(_run(request)))


async def go_on(request: Request) -> Response:
    """Go on with an interrupted run, or from the result of a run with another spec."""
    studio, run = studio_of(request), _run(request)
    body = await json_of(request, ContinueBody)
    if body.spec is None:
        studio.runs.resume(run)
        return JSONResponse(studio.told(run), 202)
    if run.result is None or run.state in ("queued", "running"):
        what = "this run has no result to start from" if run.result is None else "this run goes on"
        raise Refused(409, what, hint="stop it first, or wait until it has ended")
    more = await studio.runs.add(body.spec, preview=body.preview, start=run)
    return JSONResponse(studio.told(more), 202)


async def stop(request: Request) -> Response:
    """Stop a run; nothing is lost if it has ended meanwhile."""
    studio, run = studio_of(request), _run(request)
    if studio.runs.stop(run):
        return JSONResponse(studio.told(run), 202)
    return Response(status_code=204)


async def remove(request: Request) -> Response:
    """Take away a run that is over."""
    studio_of(request).runs.remove(_run(request))
    return Response(status_code=204)


async def events(request: Request) -> Response:
    """The events of a run, as they come."""
    studio, run = studio_of(request), _run(request)
    told = request.headers.get("last-event-id", "")
    after = int(told) if told.isascii() and told.isdecimal() and len(told) < 16 else 0
    after = run.known(after)
    if after and run.is_over and not run.lines(after):
        return Response(status_code=204)  # so that an EventSource does not ask again
    stream = studio.runs.events(run, after)
    return StreamingResponse(stream, media_type="text/event-stream")


async def live(request: Request) -> Response:
    """The picture of a run that goes on, small."""
    path = _run(request).folder / "live.jpg"
    if not path.exists():
        raise Refused(409, "there is no picture of this run yet", hint="wait for the event `live`")
    return picture(path)


def _result(run: Run) -> Path:
    if run.result is None:
        raise Refused(409, "this run has no result yet", hint="wait until it has ended")
    return run.result


async def result(request: Request) -> Response:
    """The picture that a run has written; with ``shown``, as the page shows it."""
    studio, run = studio_of(request), _run(request)
    path = _result(run)
    if "shown" in request.query_params:
        small = run.folder / "shown.webp"
        if not small.exists() or small.stat().st_mtime < path.stat().st_mtime:
            asked = {"path": str(path), "to": str(small), "longest": studio.limits.shown}
            await studio.looker.ask({"do": "shrink", **asked}, urgency=USUAL)
        return picture(small)
    return picture(path, name=path.name if "download" in request.query_params else "")


async def mask(request: Request) -> Response:
    """The mask of an object of a run."""
    run = _run(request)
    number = request.query_params.get("object", "0")
    if not (number.isascii() and number.isdecimal() and len(number) < 5):
        raise not_found("object")
    path = (run.record or run.folder) / f"object-{int(number)}" / "mask.png"
    if not path.is_file():
        raise Refused(409, "this run has no such mask", hint="wait until it has ended")
    return picture(path)


async def spec(request: Request) -> Response:
    """The spec of a run, with the plain names that its files have in the bundle."""
    run, session = _run(request), studio_of(request).session
    text, _ = await asyncio.to_thread(_bundle_of, run, session)
    return _download(text.encode(), "application/yaml", "spec.yaml")


def _bundle_of(run: Run, session: Session) -> tuple[str, dict[str, Path]]:
    written = yaml.safe_load((run.folder / "spec.yaml").read_text(encoding="utf-8"))
    return bundle(session, _named(run, written), run.folder)


def _named(run: Run, written: dict[str, Any]) -> dict[str, Any]:
    """The spec as it was run; where the page's names an upload, with its reference."""

    def walk(run_value: Any, own: Any) -> Any:
        if isinstance(run_value, dict):
            inner = own if isinstance(own, dict) else {}
            return {key: walk(value, inner.get(key)) for key, value in run_value.items()}
        if isinstance(run_value, list):
            several = own if isinstance(own, list) and len(own) == len(run_value) else []
            pairs = zip(run_value, several or [None] * len(run_value), strict=True)
            return [walk(value, other) for value, other in pairs]
        is_reference = isinstance(own, str) and re.fullmatch("[a-z]+:[0-9a-f]{16}", own)
        return own if is_reference else run_value

    found: dict[str, Any] = walk(written, run.about.get("spec"))
    return found


async def bundle_of(request: Request) -> Response:
    """A ZIP of the spec and all files that it names: to be run by the command line."""
    run, session = _run(request), studio_of(request).session

    def made() -> BinaryIO:
        text, files = _bundle_of(run, session)
        return archive(session, {"spec.yaml": text.encode(), **files})

    return _zip(await asyncio.to_thread(made), _title(run))


def _title(run: Run) -> str:
    return f"instyle-{run.id}"


async def report(request: Request) -> Response:
    """The report of a run: a ZIP of it and of its pictures."""
    run, session = _run(request), studio_of(request).session
    record, path = run.record, _result(run)
    if record is None:
        raise Refused(409, "this run has no report yet", hint="wait until it has ended")
    text = (record / "report.html").read_text(encoding="utf-8")
    files: dict[str, bytes | Path] = {path.name: path}
    files |= {f"{record.name}/{file.relative_to(record)}": file for file in _files(record)}
    for link in set(
        re.findall(r'(?:src|href)="(\.\./\.\./\.\./photos/[0-9a-f]{16}/file\.\w+)"', text)
    ):
        photo = session.root / link.removeprefix("../../../")
        if photo.is_file():
            files[f"photo{photo.suffix}"] = photo
            text = text.replace(link, f"../photo{photo.suffix}")
    files[f"{record.name}/report.html"] = text.encode()
    made = await asyncio.to_thread(archive, session, files)
    return _zip(made, f"{_title(run)}-report")


def _zip(file: BinaryIO, title: str) -> Response:
    return sent(file, "application/zip", saved_as(f"{title}.zip"))


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".pt"]


def archive(session: Session, files: Mapping[str, bytes | Path]) -> BinaryIO:
    """A ZIP, as an open file without a name. Pictures do not get smaller, so nothing is packed."""
    file = tempfile.TemporaryFile(dir=session.root / "scratch")  # noqa: SIM115  (`sent` closes it)
    with zipfile.ZipFile(file, "w") as written:
        for name, content in files.items():
            if isinstance(content, bytes):
                written.writestr(name, content)
            else:
                written.write(content, name)
    return file


def _download(data: bytes, kind: str, name: str) -> Response:
    return Response(data, media_type=kind, headers=saved_as(name))


#: The files of a session that the page of a report shows.
_OF_REPORTS = re.compile(
    r"photos/[0-9a-f]{16}/file\.\w+"
    r"|runs/[0-9a-f]{16}/result\.\w+"
    r"|runs/[0-9a-f]{16}/result\.\w+\.run/(report\.html|[\w-]+/[\w-]+\.png)"
)

#: The report has its own policy, which allows its own script alone, in a tag.
_REPORT_POLICY = "frame-ancestors 'none'; form-action 'none'"


async def files(request: Request) -> Response:
    """The report of a run as a page, with the pictures that it shows."""
    session, name = studio_of(request).session, request.path_params["path"]
    path = session.root / name
    if not _OF_REPORTS.fullmatch(name) or not path.is_file() or not session.may_read(path):
        raise not_found("file")
    if path.suffix == ".html":
        headers = {"Content-Security-Policy": _REPORT_POLICY}
        return sent(path.open("rb"), "text/html", headers)
    return picture(path)


def routes() -> list[Route]:
    """The routes."""
    return [
        Route("/api/specs", specs, methods=["POST"]),
        Route("/api/runs", start, methods=["POST"]),
        Route("/api/runs", listed),
        Route("/api/runs/{id}", one, methods=["GET"]),
        Route("/api/runs/{id}", remove, methods=["DELETE"]),
        Route("/api/runs/{id}/stop", stop, methods=["POST"]),
        Route("/api/runs/{id}/continue", go_on, methods=["POST"]),
        Route("/api/runs/{id}/events", events),
        Route("/api/runs/{id}/live", live),
        Route("/api/runs/{id}/result", result),
        Route("/api/runs/{id}/mask", mask),
        Route("/api/runs/{id}/spec", spec),
        Route("/api/runs/{id}/bundle", bundle_of),
        Route("/api/runs/{id}/report", report),
        Route("/api/files/{path:path}", files),
    ]
