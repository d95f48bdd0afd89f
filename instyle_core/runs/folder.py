"""The folder that a run writes beside its picture, with ``run.json`` and the report."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from torch import Tensor

from instyle_core.config.plan import Plan, part_name
from instyle_core.errors import InputError, InstyleError
from instyle_core.events import Event, Note, StageFinished, Step
from instyle_core.files import write_atomically
from instyle_core.images.masks import write_mask
from instyle_core.images.picture import write_picture
from instyle_core.runs import report
from instyle_core.runs.hidden import (
    HiddenFolder,
    alone_in,
    dead_folders,
    move_file,
    move_to,
    remove_dead,
    restore_replaced,
)
from instyle_core.runs.losses_csv import Row, row_of, write_rows
from instyle_core.runs.own_files import own_file
from instyle_core.runs.record import RUNNING, fingerprint, hash_of, origins, relative, state_path
from instyle_core.runs.state import RunState, damaged, dump_state

if TYPE_CHECKING:
    from instyle_core.runs.record import Earlier


#: The picture in a hidden folder, until it is moved to its place.
STAGED = "staged-output"


def settle(plan: Plan) -> None:
    """Finish the publishing of a run that died within it; its record and picture are complete."""
    target = Path(os.path.realpath(plan.folder))
    restore_replaced(target)
    for folder in dead_folders(target):
        try:
            record = json.loads(own_file(folder, "run.json").read_bytes())
            if record["status"] != RUNNING:
                _publish(folder, plan.spec.output, target)
                return
        except (OSError, InstyleError, ValueError, KeyError, TypeError, RecursionError):
            continue  # it is removed, or told of, later


def _publish(folder: Path, output: Path, target: Path) -> None:
    """Put the picture in a hidden folder in its place, if it is not there, and then the folder."""
    with alone_in(target.parent):
        if os.path.lexists(folder / STAGED):
            move_file(own_file(folder, STAGED), output)
        move_to(folder, target)


class RunFolder:
    """Collects the files of a run in a hidden folder, and publishes it when it is complete.

    It is a context manager, and an observer of the run's events. The folder of an earlier run stays
    as it is until `publish`. While the run goes on, `checkpoint` saves what it takes to go on from
    there; should the run die, the hidden folder stays, and `instyle_core.runs.resume` finds it.

    Args:
        plan: of the run.
        machine: facts about device and precision.
        every: seconds between two checkpoints.
    """

    def __init__(self, plan: Plan, machine: Mapping[str, Any], every: float) -> None:
        self._plan = plan
        self._machine = machine
        self._every = every
        self._target = Path(os.path.realpath(plan.folder))
        self._dead: list[Path] = []
        self._losses: list[Row] = []
        self._seconds = {"total": 0.0}
        self._notes: list[str] = []
        self._objects: dict[str, dict[str, Any]] = {}
        self._resumed: list[dict[str, Any]] = []
        self._state: str | None = None
        self._unwritten: dict[str, Callable[[Path], object]] = {}
        self._is_elsewhere = False
        self._trouble = ""
        self._told = {""}
        self._began = self._saved = time.monotonic()
        self._started = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime())

    def __enter__(self) -> RunFolder:
        # Hashed now, since a file may be changed or moved away during the run.
        self._inputs = {path: hash_of(path) for path in self._plan.inputs}
        for folder in dead_folders(self._target):
            if (folder / "run.json").exists():
                self._dead.append(folder)
            else:  # it died before its first checkpoint
                remove_dead(folder)
        try:
            self._hidden = HiddenFolder(self._target)
            self._folder = self._hidden.path
        except OSError as error:
            what = f"the folder cannot be written to: {error.strerror}"
            raise InputError(what, where=str(self._target.parent)) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # After an error, the last checkpoint stays, to go on from.
        has_checkpoint = (self._hidden.path / "run.json").exists()
        if kind and has_checkpoint and not self._is_elsewhere:
            self._hidden.release()
        else:
            self._hidden.remove()

    @property
    def steps(self) -> int:
        """The number of steps so far, with those of the run that is resumed."""
        return len(self._losses)

    @property
    def has_remains(self) -> bool:
        """Whether a run that died has left a checkpoint."""
        return bool(self._dead)

    # --- collecting -------------------------------------------------------------------------------

    def __call__(self, event: Event) -> None:
        """Observe an event of the run."""
        if isinstance(event, Step):
            self._losses.append(row_of(event))
            if self._snaps(event.step):
                self._snap(event)
        elif isinstance(event, StageFinished):
            self._seconds[event.stage] = self._seconds.get(event.stage, 0.0) + event.seconds
        elif isinstance(event, Note) and event.message not in self._notes:
            self._notes.append(event.message)  # a resumed run is told most of them again

    def _snap(self, step: Step) -> None:
        try:
            write_picture(self._path(_snapshot(part_name(step.item), step.step)), step.picture())
        except (OSError, InstyleError) as error:
            self._trouble = f"a snapshot could not be saved: {_reason(error)}"

    def keep(self, item: int | None, mask: Tensor, stylized: Tensor, **facts: Any) -> None:
        """Keep the mask (1, H, W) and the stylized crop (3, h, w) of an object, and facts."""
        part = part_name(item)
        if item is not None:
            self._put(f"{part}/mask.png", lambda path: write_mask(path, mask))
        self._put(f"{part}/stylized.png", lambda path: write_picture(path, stylized))
        self._objects[part] = facts

    def _put(self, name: str, write: Callable[[Path], object]) -> None:
        """Write a file now; or at the end, if there is no room now: the painting goes on."""
        try:
            write(self._path(name))
        except (OSError, InstyleError) as error:
            self._trouble = f"{name} could not be saved yet: {_reason(error)}"
            self._unwritten[name] = write

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
                shutil.copyfile(own_file(earlier.folder, name), self._path(name))
            except OSError as error:
                raise damaged(earlier.folder / name, error.strerror or str(error)) from error

    def _snaps(self, step: int) -> bool:
        every = self._plan.spec.snapshots
        return every > 0 and step % every == 0

    def _path(self, name: str) -> Path:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def checkpoint(self, state: Callable[[], RunState]) -> str:
        """Save the state, unless that was done a moment ago: the run can go on from there.

        Returns:
            What could not be saved since the last call, and why; else empty. It is told only once.
        """
        if time.monotonic() - self._saved >= self._every:
            try:
                self._write_record(self._record(RUNNING, "", state()))
            except (OSError, InstyleError) as error:  # a full disk may have room later
                self._trouble = f"the state could not be saved: {_reason(error)}"
            self._remove_other_states()
            self._saved = time.monotonic()
        trouble, self._trouble = self._trouble, ""
        is_new = trouble not in self._told
        self._told.add(trouble)
        return trouble if is_new else ""

    def _remove_other_states(self) -> None:
        """Remove earlier states, and one that ``run.json`` does not name since that failed."""
        for path in self._folder.glob("state-*.pt"):
            if not self._state or path != state_path(self._folder, self._state):
                path.unlink(missing_ok=True)

    # --- publishing -------------------------------------------------------------------------------

    def complete(self, status: str, reason: str, state: RunState | None) -> None:
        """Write ``run.json``, ``losses.csv`` and ``report.html`` to the hidden folder.

        Args:
            status: ``finished``, ``interrupted`` or ``diverged``.
            reason: why it did not finish, else empty.
            state: to resume from; None for a run that cannot be resumed.
        """
        for name, write in self._unwritten.items():
            write(self._path(name))
        record = self._record(status, reason, state)
        spec = self._plan.spec
        photo = report.link_to(spec.content, str(self._target))
        page = report.page(record, self._losses, spec.output.name, photo)
        write_atomically(self._folder / "report.html", _encoded(page))
        self._write_record(record)  # last: a status other than `RUNNING` tells that all is there
        self._remove_other_states()
        self._folder.chmod(0o777 & ~_umask())

    def _record(self, status: str, reason: str, state: RunState | None) -> dict[str, Any]:
        """Write the state, and make the content of ``run.json``, which names it."""
        plan = self._plan
        seconds = {**self._seconds}
        seconds["total"] += time.monotonic() - self._began
        digest = self._write_state(state) if state else None
        return {
            "instyle": version("instyle"),
            "status": status,
            "reason": reason,
            "spec": plan.dump(),
            "root": str(plan.root),
            "settings": dict(plan.settings),
            "started": self._started,
            "resumed": self._resumed,
            "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
            "objects": self._objects,
            "losses": self._last_losses(),
            "notes": self._notes,
            "inputs": {str(path): digest for path, digest in self._inputs.items()},
            "fingerprint": fingerprint(plan, self._inputs),
            **origins(plan),
            "machine": self._machine,
            "state": digest,
        }

    def _write_record(self, record: Mapping[str, Any]) -> None:
        """Write ``losses.csv`` and ``run.json``."""
        text = json.dumps(relative(record, self._plan), indent=2, ensure_ascii=False) + "\n"
        write_atomically(self._folder / "losses.csv", write_rows(self._losses).encode())
        write_atomically(self._folder / "run.json", _encoded(text))
        self._state = record["state"]

    def _write_state(self, state: RunState) -> str:
        """Write the state; returns the SHA-256 of its file."""
        data = dump_state(state)
        sha256 = hashlib.sha256(data).hexdigest()
        write_atomically(state_path(self._folder, sha256), data)
        return sha256

    def publish(self, picture: bytes, status: str, reason: str, state: RunState | None) -> None:
        """Put the picture and the folder in their places, where they replace earlier ones.

        Args:
            picture: the bytes of its file.
            status: as for `complete`, and so the others.

        Raises:
            OSError, InstyleError: one of them cannot be written, or moved there.
        """
        # Written here first, so that nothing lies beside the output if the run dies now.
        staged = self._path(STAGED)
        write_atomically(staged, picture)
        self.complete(status, reason, state)
        _publish(self._folder, self._plan.spec.output, self._target)
        for folder in self._dead:
            remove_dead(folder)

    def rescue(
        self, name: str, picture: bytes, status: str, reason: str, state: RunState | None
    ) -> Path:
        """Save the picture within a folder that has all the rest, since `publish` has failed.

        The places are tried in turn: that of the run folder, the working directory, the folder for
        temporary files.

        Returns:
            The picture.

        Raises:
            InstyleError: it cannot be saved anywhere.
        """
        elsewhere = [Path.cwd(), Path(tempfile.gettempdir())]
        attempts = [(place, state) for place in (None, *elsewhere)]
        if state:  # a full disk may have room for the picture, if not for the state
            attempts += [(place, None) for place in elsewhere]
        for place, kept in attempts:
            self._folder = self._hidden.path
            with suppress(Exception):  # whatever keeps the report, say, from being written
                if place:
                    self._folder = self._copied_to(place)
                # First, so that the last checkpoint is still there if there is no room at all.
                write_atomically(self._folder / name, picture)
                self.complete(status, reason, kept)
                if not place:
                    with alone_in(self._target.parent):
                        move_to(self._folder, self._target)
                self._is_elsewhere = kept is state
                return (self._folder if place else self._target) / name
            if self._folder != self._hidden.path:
                shutil.rmtree(self._folder, ignore_errors=True)
        hint = f"make room there; the next run goes on from what is in {self._hidden.path}"
        if not (self._hidden.path / "run.json").exists():
            # Nothing to go on from: the picture is worth more than the masks and crops.
            shutil.rmtree(self._hidden.path, ignore_errors=True)
            hint = "nothing could be saved; make room there, and run it again"
        for place in (*elsewhere, self._target.parent):
            with suppress(OSError, InstyleError):
                return self._alone(name, picture, place)
        what = f"the picture can be written neither here nor to {elsewhere[0]} or {elsewhere[1]}"
        raise InstyleError(what, where=str(self._plan.spec.output), hint=hint)

    def _copied_to(self, place: Path) -> Path:
        prefix = f"{self._target.name[:200]}-"
        made = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        with suppress(OSError):  # what is there is more than nothing
            shutil.copytree(self._hidden.path, made, dirs_exist_ok=True)
        return made

    @staticmethod
    def _alone(name: str, picture: bytes, place: Path) -> Path:
        made = Path(tempfile.mkdtemp(prefix=f"{name[:200]}-", dir=place))
        try:
            write_atomically(made / name, picture)
        except InstyleError:
            made.rmdir()
            raise
        return made / name

    def _last_losses(self) -> dict[str, dict[str, float]]:
        last = {row["object"]: row for row in self._losses}
        hidden = {"object", "height", "width"}
        return {
            name: {k: v for k, v in row.items() if k not in hidden} for name, row in last.items()
        }


def _reason(error: OSError | InstyleError) -> str:
    return error.what if isinstance(error, InstyleError) else error.strerror or str(error)


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
