"""What ``run.json`` says of a run."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from instyle_core.config.plan import Plan
from instyle_core.errors import InputError
from instyle_core.files import sha256_of
from instyle_core.runs.losses_csv import Row
from instyle_core.runs.state import RunState

#: The file in the folder of an interrupted run that holds its state.
STATE_FILE = "state.pt"


def origins(plan: Plan) -> dict[str, Any]:
    """What computes a plan, as ``run.json`` has it: versions, plugins and weights."""
    libraries = ("torch", "torchvision", "kornia", "pillow", "numpy")
    return {
        "instyle": version("instyle"),
        "weights": {weights.name: weights.sha256 for weights in plan.pretrained},
        "plugins": {f"{use.plugin.kind} {use.plugin.name}": use.distribution for use in plan.uses},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in libraries},
        },
    }


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


class Record(BaseModel):
    """The part of a ``run.json`` that going on needs."""

    status: str
    state: str | None = None
    spec: dict[str, Any]
    started: str
    resumed: list[dict[str, Any]] = []
    seconds: dict[str, float]
    objects: dict[str, dict[str, Any]]
    notes: list[str]
    inputs: dict[str, str]
    weights: dict[str, str]
    instyle: str
    plugins: dict[str, str]
    versions: dict[str, str]
    machine: dict[str, Any]


@dataclass(frozen=True)
class Earlier:
    """An interrupted run that can go on.

    Attributes:
        folder: what it left behind.
        record: its ``run.json``.
        state: where it stands.
        losses: the rows of the steps that need not be done again.
        changes: what is different now, though it can go on all the same; else empty.
    """

    folder: Path
    record: Record
    state: RunState
    losses: list[Row]
    changes: str
