"""The folder that a run writes beside its picture, with ``run.json`` and the report."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from torch import Tensor

from instyle_core.config.plan import Plan, part_name
from instyle_core.errors import InputError
from instyle_core.events import Event, Note, StageFinished, Step
from instyle_core.files import write_atomically
from instyle_core.images.picture import write_mask, write_picture
from instyle_core.runs import report
from instyle_core.runs.losses_csv import Row, row_of, write_rows
from instyle_core.runs.record import STATE_FILE, hash_of, origins
from instyle_core.runs.state import RunState, damaged, dump_state

if TYPE_CHECKING:
    from instyle_core.runs.record import Earlier


class RunFolder:
    """Collects the files of a run in a hidden folder, and publishes it when it is complete.

    It is a context manager, and an observer of the run's events. The folder of an earlier run stays
    as it is until `publish`.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._losses: list[Row] = []
        self._seconds = {"total": 0.0}
        self._notes: list[str] = []
        self._objects: dict[str, dict[str, Any]] = {}
        self._resumed: list[dict[str, Any]] = []
        self._began = time.time()
        self._started = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(self._began))

    def __enter__(self) -> RunFolder:
        target = self._plan.folder
        if target.exists() and not (target / "run.json").is_file():
            raise InputError(
                "the run's files go here, but this is not the folder of an earlier run",
                where=str(target),
                hint="move it away, or choose another output",
            )
        # Hashed now, since a file may be changed or moved away during the run.
        self._inputs = {str(path): hash_of(path) for path in self._plan.inputs}
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

    # --- collecting -------------------------------------------------------------------------------

    def __call__(self, event: Event) -> None:
        """Observe an event of the run."""
        if isinstance(event, Step):
            self._losses.append(row_of(event))
            if self._snaps(event.step):
                path = self._path(_snapshot(part_name(event.item), event.step))
                write_picture(path, event.picture())
        elif isinstance(event, StageFinished):
            self._seconds[event.stage] = self._seconds.get(event.stage, 0.0) + event.seconds
        elif isinstance(event, Note) and event.message not in self._notes:
            self._notes.append(event.message)  # a resumed run is told most of them again

    def keep(self, item: int | None, mask: Tensor, stylized: Tensor, **facts: Any) -> None:
        """Keep the mask (1, H, W) and the stylized crop (3, h, w) of an object, and facts."""
        part = part_name(item)
        if item is not None:
            write_mask(self._path(f"{part}/mask.png"), mask)
        write_picture(self._path(f"{part}/stylized.png"), stylized)
        self._objects[part] = facts

    def take_over(self, earlier: Earlier) -> None:
        """Take over the results of an interrupted run up to the step that it is resumed from.

        Raises:
            InputError: one of its pictures is missing or cannot be copied.
        """
        record, state = earlier.record, earlier.state
        *finished, part = self._plan.parts[: state.finished + 1]
        self._losses = [*earlier.losses]
        self._seconds = {"total": 0.0, **record.seconds}
        self._notes = [*record.notes]
        self._objects = {name: record.objects.get(name, {}) for name in finished}
        self._resumed = [*record.resumed, {"object": part, "step": state.steps}]
        self._started = record.started
        names = [f"{name}/{kind}.png" for name in finished for kind in ("mask", "stylized")]
        taken = [(str(row["object"]), int(row["step"])) for row in self._losses]
        names += [_snapshot(name, step) for name, step in taken if self._snaps(step)]
        for name in names:
            try:
                shutil.copyfile(earlier.folder / name, self._path(name))
            except OSError as error:
                raise damaged(earlier.folder / name, error.strerror or str(error)) from error

    def _snaps(self, step: int) -> bool:
        every = self._plan.spec.snapshots
        return every > 0 and step % every == 0

    def _path(self, name: str) -> Path:
        path = self._hidden / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    # --- publishing -------------------------------------------------------------------------------

    def complete(
        self, status: str, reason: str, machine: Mapping[str, Any], state: RunState | None
    ) -> None:
        """Write ``run.json``, ``losses.csv`` and ``report.html`` to the hidden folder.

        Args:
            status: ``finished``, ``interrupted`` or ``diverged``.
            reason: why it did not finish, else empty.
            machine: facts about device and precision.
            state: to resume from; None for a run that cannot be resumed.
        """
        plan, folder = self._plan, self._hidden
        self._seconds["total"] += time.time() - self._began
        record = {
            "instyle": version("instyle"),
            "status": status,
            "reason": reason,
            "spec": plan.dump(),
            "settings": dict(plan.settings),
            "started": self._started,
            "resumed": self._resumed,
            "seconds": {stage: round(seconds, 3) for stage, seconds in self._seconds.items()},
            "objects": self._objects,
            "losses": self._last_losses(),
            "notes": self._notes,
            "inputs": self._inputs,
            **origins(plan),
            "machine": machine,
            "state": self._write_state(state) if state else None,
        }
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        write_atomically(folder / "run.json", _encoded(text))
        write_atomically(folder / "losses.csv", write_rows(self._losses).encode())
        page = report.page(record, self._losses, plan.spec.output.name)
        write_atomically(folder / "report.html", _encoded(page))
        folder.chmod(0o777 & ~_umask())

    def _write_state(self, state: RunState) -> str:
        """Write the state; returns the SHA-256 of its file."""
        data = dump_state(state)
        write_atomically(self._hidden / STATE_FILE, data)
        return hashlib.sha256(data).hexdigest()

    def publish(self) -> None:
        """Move the hidden folder to its place; an earlier run's folder is replaced."""
        folder, target = self._hidden, self._plan.folder
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
            try:
                os.replace(target, old)
                os.replace(folder, target)
            finally:
                if not target.exists():  # only the first of the two was done
                    os.replace(old, target)
                shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(folder, target)

    def _last_losses(self) -> dict[str, dict[str, float]]:
        last = {row["object"]: row for row in self._losses}
        hidden = {"object", "height", "width"}
        return {
            name: {k: v for k, v in row.items() if k not in hidden} for name, row in last.items()
        }


def _encoded(text: str) -> bytes:
    # The name of a file may be any bytes. Those that are not UTF-8 are written as JSON's escapes of
    # surrogates, from which the same name is read again.
    return text.encode("utf-8", "backslashreplace")


def _snapshot(part: str, step: int) -> str:
    return f"{part}/snapshots/{step:06}.png"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
