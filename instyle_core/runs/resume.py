"""Resuming an interrupted run: it is found, and compared with the plan and the machine."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from instyle_core.config.plan import Plan
from instyle_core.errors import InputError, InstyleError, first_line
from instyle_core.interfaces.messages import in_words, shown
from instyle_core.runs.folder import settle
from instyle_core.runs.hidden import dead_folders, remove_dead
from instyle_core.runs.losses_csv import Row, read_rows
from instyle_core.runs.own_files import own_file
from instyle_core.runs.record import (
    RUNNING,
    Earlier,
    Record,
    fingerprint,
    hash_of,
    origins,
    relative,
    state_path,
)
from instyle_core.runs.state import RunState, damaged, load_state

#: The note about a run that died.
REMAINS = (
    "an earlier run of this output ended before it was done; `--resume` would go on with it, and "
    "its files are removed once this run is done"
)

_START_AGAIN = "to start again from the beginning, leave out --resume"


def find(
    plan: Plan, machine: Mapping[str, Any], resume: bool | Literal["if possible"]
) -> Earlier | None:
    """Find the interrupted run of a plan, and check that the plan can resume it.

    That is the run in its folder, or one that died, whose last checkpoint is in a hidden folder
    beside; the newest that can be resumed.

    Args:
        plan: of the run to resume.
        machine: this machine, as `instyle_core.device.describe_machine` describes it.
        resume: whether to look for it, and whether it has to be there.

    Returns:
        The run; None for a new one.

    Raises:
        InputError: there is no run; it has ended; the spec, a file, the weights or the device is
            another one; or one of its files is damaged.
    """
    if not resume:
        return None
    target = Path(os.path.realpath(plan.folder))
    dead = [folder for folder in dead_folders(target) if (folder / "run.json").exists()]
    there = [folder for folder in (target, *dead) if (folder / "run.json").exists()]
    newest = sorted(there, key=lambda folder: os.path.getmtime(folder / "run.json"), reverse=True)
    errors = []
    for folder in newest or [target]:
        try:
            return _find(folder, plan, machine)
        except InputError as error:
            errors.append(error)
    if resume == "if possible":
        return None
    raise errors[0]


def is_done(plan: Plan) -> bool:
    """Whether a plan has been carried out: a run of it would make the same picture again.

    The picture is there, and the record beside it tells that its run was finished, and of the same
    spec, content of files, weights and versions. Their names and places do not matter, nor do the
    machine and its devices. A run that died while it published is finished first, and what dead
    runs have left beside a finished one is removed.

    Raises:
        InputError: a file that the plan reads cannot be read.
    """
    settle(plan)
    folder = Path(os.path.realpath(plan.folder))
    if not plan.spec.output.is_file():
        return False
    try:
        record = json.loads(own_file(folder, "run.json").read_bytes())
        told = record["status"], record["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    inputs = {path: hash_of(path) for path in plan.inputs}
    if told != ("finished", fingerprint(plan, inputs)):
        return False
    for dead in dead_folders(folder):
        remove_dead(dead)
    return True


def _find(folder: Path, plan: Plan, machine: Mapping[str, Any]) -> Earlier:
    record = _record(folder)
    _check_status(folder, record)
    _check_sameness(folder, plan, machine, record)
    if record.state is None:
        raise InputError(
            "this run was interrupted within a step, before there was a state to resume from",
            where=str(folder),
            hint=_START_AGAIN,
        )
    path = state_path(folder, record.state)
    state = load_state(path, record.state, machine["device"])
    is_between = len(state.patches) == state.finished < len(plan.parts)
    if not is_between or state.steps > plan.spec.optimizer.steps:
        raise damaged(path, "it does not have the objects or steps of the spec")
    losses = _losses(folder, plan, state)
    return Earlier(folder, record, state, losses, _changes(plan, machine, record))


@contextmanager
def resuming(earlier: Earlier | None, steps: Callable[[], int]) -> Iterator[None]:
    """Around the painting: what fails before the first step of a resumed run is its state's fault.

    Of some things only the painting knows whether they fit, such as the sizes of tensors.

    Args:
        earlier: the run that is resumed, or None.
        steps: tells how many steps were taken.

    Raises:
        InputError: the state does not fit.
    """
    before = steps()
    try:
        yield
    except InstyleError:
        raise
    except Exception as error:
        if earlier is None or earlier.record.state is None or steps() > before:
            raise
        path = state_path(earlier.folder, earlier.record.state)
        raise damaged(path, first_line(error)) from error


def _record(folder: Path) -> Record:
    path = folder / "run.json"
    try:
        # Not by pydantic, whose parser refuses the escapes of names that are not UTF-8.
        return Record.model_validate(json.loads(own_file(folder, path.name).read_bytes()))
    except (FileNotFoundError, NotADirectoryError) as error:
        what, hint = "there is no run here to resume", "to start one, leave out --resume"
        raise InputError(what, where=str(folder), hint=hint) from error
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from error
    except ValidationError as error:
        raise damaged(path, in_words(error.errors()[0])) from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"invalid JSON: {error}") from error


def _check_status(folder: Path, record: Record) -> None:
    ends = {"finished": "this run is finished", "diverged": "this run diverged"}
    if record.status not in ("interrupted", RUNNING):
        what = ends.get(record.status, f"the status of this run is {shown(record.status)}")
        what = f"{what}, so there is nothing to resume"
        raise InputError(what, where=str(folder), hint=_START_AGAIN)


def _check_sameness(folder: Path, plan: Plan, machine: Mapping[str, Any], record: Record) -> None:
    # Through JSON, as the record went: it has no tuples.
    spec = relative(json.loads(json.dumps(plan.dump())), plan)
    difference = _difference(record.spec, spec)
    if difference:
        key, old, new = difference
        raise InputError(
            f"the spec is not that of the interrupted run: {key} was {old} and is {new}",
            where=str(folder),
            hint=f"change it back, or give {folder / 'run.json'} as the spec; {_START_AGAIN}",
        )
    inputs = relative({str(path): hash_of(path) for path in plan.inputs}, plan)
    for name in {**inputs, **record.inputs}:
        if record.inputs.get(name) != inputs.get(name):
            what, hint = "this file has changed since the run was started", "restore the old one"
            if name not in record.inputs:  # in a style folder, as in the case below
                what, hint = "this file was not there when the run was started", "take it away"
            elif name not in inputs:
                what = "this file was there when the run was started, and cannot be read now"
            where = os.path.normpath(os.path.join(os.path.realpath(plan.folder), name))
            raise InputError(what, where=where, hint=f"{hint}; {_START_AGAIN}")
    for name, sha256 in origins(plan)["weights"].items():
        if record.weights.get(name) != sha256:
            what = f"the weights '{name}' are not those that the run was started with"
            hint = f"install the version of the plugin that it was started with; {_START_AGAIN}"
            raise InputError(what, where=str(folder), hint=hint)
    before, now = record.machine.get("device"), machine["device"]
    if before != now:
        what = f"the run was started on the device '{before}', but here it would use '{now}'"
        raise InputError(what, where=str(folder), hint=f"resume it on '{before}'; {_START_AGAIN}")


def _difference(old: Any, new: Any, place: str = "") -> tuple[str, str, str] | None:
    """The first key whose values differ, with both values in words; None if all are the same."""
    pairs: list[tuple[Any, Any, Any]]
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(key, old.get(key), new.get(key)) for key in {**new, **old}]
    elif isinstance(old, list) and isinstance(new, list):
        pairs = [(index, *pair) for index, pair in enumerate(zip_longest(old, new))]
    else:
        return None if old == new else (place, _in_words(old), _in_words(new))
    inner = (_difference(a, b, f"{place}.{key}" if place else str(key)) for key, a, b in pairs)
    return next(filter(None, inner), None)


def _in_words(value: Any) -> str:
    if value is None:
        return "not there"
    return f"'{value}'" if isinstance(value, str) else shown(value)  # paths are not shortened


def _changes(plan: Plan, machine: Mapping[str, Any], record: Record) -> str:
    """A note about different versions and the like, from which the result may differ a little."""
    before = _environment(record.model_dump(), record.machine)
    now = _environment(origins(plan), machine)
    changed = [
        f"{name} {before.get(name, 'not there')} (now {now.get(name, 'not there')})"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]
    if not changed:
        return ""
    what = f"this run was started with {', '.join(changed)}"
    return f"{what}: the result may differ a little from that of a run without interruption"


def _environment(origin: Mapping[str, Any], machine: Mapping[str, Any]) -> dict[str, Any]:
    """The versions and the facts of the machine that the last digits of a result depend on."""
    distributions = (distribution.rpartition(" ") for distribution in origin["plugins"].values())
    return {
        **{name: number for name, _, number in distributions},
        "instyle": origin["instyle"],
        **origin["versions"],
        **{key: machine.get(key) for key in ("processor", "threads", "precision")},
    }


def _losses(folder: Path, plan: Plan, state: RunState) -> list[Row]:
    """The rows up to the state; a run that was stopped at once has written some more."""
    path = folder / "losses.csv"
    *finished, part = plan.parts[: state.finished + 1]
    try:
        rows = [
            row
            for row in read_rows(own_file(folder, path.name).read_text(encoding="utf-8"))
            if row["object"] in finished or (row["object"] == part and row["step"] <= state.steps)
        ]
        places = [(plan.parts.index(row["object"]), row["step"]) for row in rows]
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from error
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise damaged(path, "its content has changed since it was written") from error
    settings = plan.spec.optimizer
    if places != sorted({*places}) or any(step < 1 for _, step in places):
        raise damaged(path, "its steps are not in order")
    expected = state.finished * settings.steps + state.steps
    if len(rows) > expected or (len(rows) < expected and not settings.tolerance):
        raise damaged(path, "it does not have one row for each step")
    return rows
