"""Specs of the page: what they name is put in, what they may not read is refused.

Such a spec names an upload by its ID, in place of a path: ``photo:ID``, ``style:ID``, ``mask:ID``;
the result of a run, to start from, as ``run:ID``; a folder of the command line as ``folder:ID``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import yaml

from instyle_core import InputError, InstyleError, Plan, SpecError, check, plan_of, preview
from instyle_studio.errors import told
from instyle_studio.session import Session

_REFERENCE = re.compile(r"(photo|style|mask|run|folder):([0-9a-f]{16})")

#: Keys whose texts are no names of files, whatever they look like.
_TEXTS = ("use", "text", "class")

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Prepared:
    """A spec that can be run.

    Attributes:
        spec: as the page has it, with references.
        text: as it is run: YAML in which files are relative to the run's folder.
        plan: of it.
    """

    spec: dict[str, Any]
    text: str
    plan: Plan


def prepare(
    session: Session,
    written: str | Mapping[str, Any],
    folder: Path,
    *,
    small: bool = False,
    seen: dict[str, Any] | None = None,
) -> Prepared:
    """Check a spec as `instyle pipeline validate` does, and what it may read.

    Args:
        session: has what it names.
        written: YAML, or plain data.
        folder: of the run; gets ``spec.yaml``, which is as it was written.
        small: whether to make a preview of it.
        seen: gets the spec as the page has it, also if it is wrong.

    Raises:
        SpecError: with everything that is wrong; an `InputError` if it is one thing.
    """
    text = written if isinstance(written, str) else dump(written)
    (folder / "spec.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")
    own: dict[str, Any] = {} if seen is None else seen
    run: dict[str, Any] = {}

    def change(document: Any) -> None:
        if not isinstance(document.data, dict):
            return  # the check of the document says so
        own.update(deepcopy(_with_references(session, document.data)))
        document.data = deepcopy(own)
        for place, value in [*_texts(document.data)]:
            try:
                path = _file(session, folder, value)
            except InputError as error:
                document.problems.append(document.error(place, error.what, error.hint))
                document.doubtful.add(place)
                continue
            if path:
                _put(document.data, place, str(path))
        if small:
            preview(document)
        suffix = PurePath(str(own.get("output") or "")).suffix.lower()
        name = f"result{suffix if re.fullmatch('[.][a-z0-9]{1,5}', suffix) else '.png'}"
        document.assign("output", str(folder / name), "the studio")
        run.update(_relative(session, folder, {**document.data, "output": name}))

    plan = plan_of(folder / "spec.yaml", change)
    for path in {*plan.inputs, *_paths(plan.dump(), plan)}:
        if not session.may_read(path):
            raise _forbidden(str(path))
    check(plan)
    return Prepared(own, dump(run), plan)


def inside(session: Session, value: Any) -> Any:
    """A plugin with its parameters, as a spec would name it, with the files that it names put in.

    Raises:
        InputError: it names a file that it may not read.
    """
    value = deepcopy(value)
    for place, text in [*_texts(value)]:
        path = _file(session, session.root, text)
        if path and place:
            _put(value, place, str(path))
    return value


def problems(error: InstyleError) -> list[dict[str, Any]]:
    """What is wrong with a spec, each with the ``key`` that it is about, or None."""
    found = error.problems if isinstance(error, SpecError) else (error,)
    listed = []
    for problem in found:
        key = re.match(r"([a-z_]+(?:\.(?:[\w-]+))*): ", problem.what)
        listed.append({**told(problem), "key": key[1] if key else None})
    return listed


def dump(spec: Mapping[str, Any]) -> str:
    """A spec as YAML."""
    return yaml.safe_dump(dict(spec), sort_keys=False, allow_unicode=True, width=100)


def bundle(session: Session, spec: Mapping[str, Any], folder: Path) -> tuple[str, dict[str, Path]]:
    """A spec that names its files by plain names, and these files, by the same names.

    Args:
        session: has them.
        spec: with references, or with paths relative to `folder`.
        folder: of its run.

    Raises:
        InputError: one of the files is not there any more.
    """
    data = deepcopy(dict(spec))
    files: dict[str, Path] = {}
    names: dict[Path, str] = {}
    for place, value in [*_texts(data)]:
        path = _file(session, folder, value)
        if path is None:
            if os.path.isabs(value) or value.startswith("../"):
                what, hint = "this file is not there any more", "the spec cannot be run without it"
                raise InputError(what, where=value, hint=hint)
            continue
        if path not in names:
            name = _plain_name(session, value, path, {*files, *names.values(), "spec.yaml"})
            names[path] = name
            if path.is_dir():
                inside = (file for file in sorted(path.iterdir()) if file.is_file())
                files |= {f"{name}/{file.name}": file for file in inside if session.may_read(file)}
            else:
                files[name] = path
        _put(data, place, names[path])
    return dump(data), files


def clean(name: str) -> str:
    """A file name that is harmless anywhere, made from a name that came from outside."""
    last = re.split(r"[/\\]", name)[-1]
    safe = re.sub(r"[^\w.() -]", "_", last).strip(". ")
    stem, suffix = os.path.splitext(safe)
    return f"{stem[:80]}{suffix[:10]}" if stem else "picture"


def _plain_name(session: Session, reference: str, path: Path, taken: set[str]) -> str:
    name = path.name
    if found := _REFERENCE.fullmatch(reference):
        kind, identity = found.groups()
        if kind in ("photo", "style"):
            name = str(session.item(f"{kind}s", identity).about.get("name", name))
        elif kind in ("mask", "run"):
            name = f"{'mask' if kind == 'mask' else 'start'}{path.suffix}"
    cleaned = PurePath(clean(name))
    stem, suffix = cleaned.stem, "" if path.is_dir() else path.suffix
    if stem.lower() in ("result", "spec"):  # what the bundle and the run write
        stem += "-1"
    candidates = (f"{stem}{'' if n == 1 else f'-{n}'}{suffix}" for n in range(1, len(taken) + 2))
    used = {name.lower() for name in taken}
    return next(name for name in candidates if name.lower() not in used)


def _file(session: Session, folder: Path, value: str) -> Path | None:
    """The file or folder that a text names; None if it names none, or one that is not there.

    Raises:
        InputError: it is not there any more, or may not be read.
    """
    if found := _REFERENCE.fullmatch(value):
        kind, identity = found.groups()
        try:
            if kind == "folder":
                return session.folders[identity]
            if kind == "run":
                return start_of(session, identity, folder)
            return session.item(f"{kind}s", identity).path
        except (InstyleError, KeyError) as error:
            what = f"there is no {kind} {identity} in this session"
            raise InputError(what, hint="choose another") from error
    try:
        path = Path(os.path.realpath(os.path.join(folder, os.path.expanduser(value))))
        inside = path.is_relative_to(folder) or session.may_read(path)
        there = os.path.exists(path) and value not in ("", ".")
    except ValueError:  # no name of a file, such as one with a NUL
        return None
    if not inside:
        raise _forbidden(value)
    return path if there and path != folder else None


def start_of(session: Session, identity: str, folder: Path) -> Path:
    """The result of a run, or the copy of it that another run, in `folder`, starts from."""
    for found in (*folder.glob("start.*"), *(session.root / "runs" / identity).glob("result.*")):
        if found.is_file():
            return found
    raise InputError("this run has no result")


def _forbidden(path: str) -> InputError:
    return InputError(
        f"a spec of the studio may not read this: {path}",
        hint="upload the file, or name its folder with --styles when the studio is started",
    )


def _with_references(session: Session, data: dict[str, Any]) -> dict[str, Any]:
    """The spec with the names of uploads replaced by references to them.

    So a spec that was downloaded can be opened again, once its files have been uploaded.
    """
    known = {kind: _names(session, kind) for kind in ("photo", "style", "mask")}
    for place, value in [*_texts(data)]:
        kinds = ("photo",) if place[0] in ("content", "start") else ("style", "mask", "photo")
        for kind in kinds:
            if reference := known[kind].get(PurePath(value).name):
                _put(data, place, reference)
                break
        for identity, folder in session.folders.items():
            if value.rstrip("/") in (folder.name, str(folder)):
                _put(data, place, f"folder:{identity}")
    return data


def _names(session: Session, kind: str) -> dict[str, str]:
    """References to uploads by the names that they have here and in a bundle."""
    known = {}
    for item in session.items(f"{kind}s"):
        name = str(item.about.get("name", ""))
        for key in (name, clean(name), f"{PurePath(clean(name)).stem}{item.path.suffix}"):
            if PurePath(key).suffix:
                known[key] = f"{kind}:{item.id}"
    return known


def _relative(session: Session, folder: Path, data: dict[str, Any]) -> dict[str, Any]:
    """The spec with files of the session relative to the folder of the run, so that it can move."""
    data = json.loads(json.dumps(data))  # of plain types alone
    for place, value in [*_texts(data)]:
        if os.path.isabs(value) and Path(value).is_relative_to(session.root):
            # The folder has a hidden name as yet, at the same depth.
            _put(data, place, Path(os.path.relpath(value, folder)).as_posix())
    return data


def _texts(data: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """The texts in a spec that may name files, each with its place."""
    if isinstance(data, str):
        yield place, data
    elif isinstance(data, dict):
        for key, value in data.items():
            if key not in _TEXTS and (*place, key) != ("output",):
                yield from _texts(value, (*place, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _texts(value, (*place, index))


def _put(data: Any, place: Place, value: str) -> None:
    for key in place[:-1]:
        data = data[key]
    data[place[-1]] = value


def _paths(dumped: Any, plan: Plan) -> Iterator[Path]:
    """The absolute paths in a resolved spec, but that of the output."""
    for _, value in _texts(dumped):
        if os.path.isabs(value):
            yield Path(value)
