"""What a run leaves behind: the folder beside the picture, with ``run.json`` and the report."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import csv
import io
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from instyle_core import report
from instyle_core.errors import InputError
from instyle_core.events import Event, Note, StageFinished, Step
from instyle_core.files import write_atomically
from instyle_core.images import write_mask, write_picture
from instyle_core.plan import Plan
from instyle_core.weights import sha256_of


class RunFolder:
    """Gathers what a run leaves behind in a hidden folder, and shows it when it is complete.

    Used as a context manager and as an observer of the run's events. An earlier run's folder stays
    as it is until `show`.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._losses: list[dict[str, Any]] = []
        self._seconds: dict[str, float] = {}
        self._notes: list[str] = []
        self._objects: dict[str, dict[str, Any]] = {}
        self._started = time.time()

    def __enter__(self) -> RunFolder:
        target = self._plan.folder
        if target.exists() and not (target / "run.json").is_file():
            raise InputError(
                "this is where the run's files go, but it is there and is not an earlier run's",
                where=str(target),
                hint="move it away, or choose another output",
            )
        # Now: by the end of the run, a file may have been changed or moved away.
        self._inputs = {str(path): _sha256(path) for path in self._plan.inputs}
        try:
            hidden = tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent)
        except OSError as error:
            raise InputError(
                f"the folder cannot be written to: {error.strerror}", where=str(target.parent)
            ) from error
        self._hidden = Path(hidden)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._hidden, ignore_errors=True)

    # --- gathering --------------------------------------------------------------------------------

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, Step):
            row = {"object": _name(event.item), "step": event.step}
            row |= {"height": event.size[0], "width": event.size[1], "total": event.total}
            self._losses.append(row | dict(event.losses))
            every = self._plan.spec.snapshots
            if every and event.step % every == 0:
                folder = self._part(event.item) / "snapshots"
                folder.mkdir(exist_ok=True)
                write_picture(folder / f"{event.step:06}.png", event.picture())
        elif isinstance(event, StageFinished):
            self._seconds[event.stage] = self._seconds.get(event.stage, 0.0) + event.seconds
        elif isinstance(event, Note):
            self._notes.append(event.message)

    def keep(self, item: int | None, mask: Tensor | None, stylized: Tensor, **facts: Any) -> None:
        """Keep the mask (1, H, W) and the stylised crop (3, h, w) of an object, and facts."""
        folder = self._part(item)
        if mask is not None:
            write_mask(folder / "mask.png", mask)
        write_picture(folder / "stylized.png", stylized)
        self._objects[_name(item)] = facts

    def _part(self, item: int | None) -> Path:
        folder = self._hidden / _name(item)
        folder.mkdir(exist_ok=True)
        return folder

    # --- publishing -------------------------------------------------------------------------------

    def complete(self, status: str, reason: str, machine: Mapping[str, Any]) -> None:
        """Write ``run.json``, ``losses.csv`` and ``report.html``, still out of sight.

        Args:
            status: ``finished``, ``interrupted`` or ``diverged``.
            reason: why it did not finish, else empty.
            machine: facts about device and precision.
        """
        plan, folder = self._plan, self._hidden
        record = {
            "instyle": version("instyle"),
            "status": status,
            "reason": reason,
            "spec": plan.dump(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(self._started)),
            "seconds": {
                "total": round(time.time() - self._started, 3),
                **{stage: round(seconds, 3) for stage, seconds in self._seconds.items()},
            },
            "objects": self._objects,
            "losses": self._last_losses(),
            "notes": self._notes,
            "inputs": self._inputs,
            "weights": {weights.name: weights.sha256 for weights in plan.pretrained},
            "plugins": {
                f"{use.plugin.kind} {use.plugin.name}": use.distribution for use in plan.uses
            },
            "versions": self._versions(),
            "machine": {"platform": platform.platform(), "processors": os.cpu_count(), **machine},
        }
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        write_atomically(folder / "run.json", text.encode())
        write_atomically(folder / "losses.csv", _csv(self._losses).encode())
        page = report.page(record, self._losses, plan.spec.output.name)
        write_atomically(folder / "report.html", page.encode())
        folder.chmod(0o777 & ~_umask())

    def show(self) -> None:
        """Put the folder in its place."""
        folder, target = self._hidden, self._plan.folder
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
            os.replace(target, old)
            os.replace(folder, target)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(folder, target)

    def _last_losses(self) -> dict[str, dict[str, float]]:
        last = {row["object"]: row for row in self._losses}
        hidden = {"object", "height", "width"}
        return {
            name: {k: v for k, v in row.items() if k not in hidden} for name, row in last.items()
        }

    def _versions(self) -> dict[str, str]:
        libraries = ("torch", "torchvision", "kornia", "pillow", "numpy")
        return {"python": platform.python_version(), **{name: version(name) for name in libraries}}


def _name(item: int | None) -> str:
    return "picture" if item is None else f"object-{item}"


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        what, hint = f"the file cannot be read: {error.strerror}", "check its permissions"
        raise InputError(what, where=str(path), hint=hint) from error


def _csv(rows: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def describe_machine(device: torch.device, precision: torch.dtype) -> dict[str, Any]:
    """The facts about where and how a run was computed."""
    cpu = f"{platform.processor() or platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return {
        "device": str(device),
        "processor": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        "threads": torch.get_num_threads(),
        "precision": str(precision).removeprefix("torch."),
    }
