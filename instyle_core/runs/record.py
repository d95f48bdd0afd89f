"""The content of ``run.json``."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from instyle_core.config.plan import Plan
from instyle_core.errors import InputError
from instyle_core.files import sha256_of
from instyle_core.runs.losses_csv import Row
from instyle_core.runs.state import RunState

#: The version of a package; what is loaded stays the same, and reading metadata takes a while.
version = cache(metadata.version)

#: The status of a run that is not done, as its checkpoints have it.
RUNNING = "running"


def state_path(folder: Path, sha256: str) -> Path:
    """The file with the state of an interrupted run.

    It is named by its hash: it and ``run.json``, which tells the hash, cannot be replaced at once.
    """
    return folder / f"state-{sha256[:8]}.pt"


def origins(plan: Plan) -> dict[str, Any]:
    """The versions, plugins and weights that compute a plan, as in ``run.json``."""
    libraries = ("torch", "torchvision", "kornia", "pillow", "numpy")
    return {
        "instyle": version("instyle"),
        "weights": {weights.name: weights.sha256 for weights in plan.pretrained},
        "plugins": {
            f"{use.plugin.kind} {use.name or use.plugin.name}": use.distribution
            for use in plan.uses
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in libraries},
        },
    }


def fingerprint(plan: Plan, inputs: Mapping[Path, str]) -> str:
    """A SHA-256 of all that the picture of a plan depends on, but for the machine.

    That is the spec, in which files stand for their content, the weights and the versions.

    Args:
        plan: the plan.
        inputs: the hashes of the files that it reads.
    """
    known = {str(path): sha256 for path, sha256 in inputs.items()}
    known |= {str(folder): "a folder" for path in inputs for folder in path.parents}

    def walk(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: walk(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [walk(item) for item in value]
        return known.get(value, value) if isinstance(value, str) else value

    # Files that no value names are those of a folder that is chosen from.
    spec = {**walk(plan.dump()), "output": plan.spec.output.suffix, "device": "any"}
    told = [spec, sorted(inputs.values()), origins(plan)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def hash_of(path: Path) -> str:
    """The SHA-256 of a file that a spec reads.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return sha256_of(path)
    except OSError as error:
        what, hint = f"the file cannot be read: {error.strerror}", "check its permissions"
        raise InputError(what, where=str(path), hint=hint) from error


def relative(record: Any, plan: Plan) -> Any:
    """Plain data in which files of the plan are relative to its run folder, if they move with it.

    Those are the files in the folder that the spec and the output have in common; a record that is
    copied or moved with them is that of the copies. Other paths stay absolute.
    """
    folder = os.path.realpath(plan.folder)
    # A parameter may name the folder of files that are read.
    folders = {parent for path in plan.inputs for parent in path.parents}
    known = {plan.spec.output, plan.root, *plan.inputs, *folders}
    near = {
        str(path): Path(os.path.relpath(path, folder)).as_posix()
        for path in known
        if path.is_relative_to(plan.root) or path.is_relative_to(plan.spec.output.parent)
    }

    def walk(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {near.get(key, key): walk(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [walk(item) for item in value]
        return near.get(value, value) if isinstance(value, str) else value

    return walk(record)


class _Rated(BaseModel):
    picture: str
    score: float
    figures: dict[str, float]


class _Style(BaseModel):
    ranking: list[_Rated]


class _Facts(BaseModel):
    """What the report shows of an object; there may be more."""

    pixels: int | None = None
    style: _Style | None = None


def _checked(facts: dict[str, Any]) -> dict[str, Any]:
    _Facts.model_validate(facts)
    return facts


class Record(BaseModel):
    """The part of a ``run.json`` that is needed to resume."""

    status: str
    state: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    spec: dict[str, Any]
    started: str
    resumed: list[dict[str, Any]] = []
    seconds: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    objects: dict[str, Annotated[dict[str, Any], AfterValidator(_checked)]]
    notes: list[str]
    inputs: dict[str, str]
    weights: dict[str, str]
    instyle: str
    plugins: dict[str, str]
    versions: dict[str, str]
    machine: dict[str, Any]


@dataclass(frozen=True)
class Earlier:
    """An interrupted run that can be resumed.

    Attributes:
        folder: the folder of the run.
        record: its ``run.json``.
        state: the state to resume from.
        losses: the rows of ``losses.csv`` up to that state.
        changes: a note about differences that may change the result a little; else empty.
    """

    folder: Path
    record: Record
    state: RunState
    losses: list[Row]
    changes: str
