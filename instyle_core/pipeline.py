"""The one way through: read, segment, stylise, merge, write."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from instyle_core import weights
from instyle_core.errors import InputError, InstyleError, InterruptedRun
from instyle_core.events import (
    Download,
    Event,
    Finished,
    Observer,
    Stage,
    StageFinished,
    StageStarted,
    Step,
    ignore,
)
from instyle_core.images import Picture, check_output, read_picture, resize, write_picture
from instyle_core.instances import box_of, prompt_of, select_object
from instyle_core.interfaces import FeatureExtractor, Mask, Merger, Segmentation
from instyle_core.optimize import Outcome, Progress
from instyle_core.plan import ObjectPlan, Plan
from instyle_core.runs import RunFolder, describe_machine
from instyle_core.stylize import Setting, Task, crop_box, cut, put_back, stylize


@dataclass(frozen=True)
class Result:
    """What a run came to.

    Attributes:
        status: ``finished``, ``interrupted`` or ``diverged``.
        reason: why it did not finish, else empty.
        output: the picture that was written.
        folder: everything else that was written.
        seconds: the time that it took.
    """

    status: str
    reason: str
    output: Path
    folder: Path
    seconds: float


def run(plan: Plan, on_event: Observer = ignore) -> Result:
    """Carry out a plan.

    Ctrl-C and a loss that diverges end the optimisation early; the best so far is merged and
    written, and the result says so.

    Raises:
        InputError: a picture, a mask or a selection cannot be used.
        WeightsError: weights cannot be had.
        InterruptedRun: interrupted before there was anything to save.
    """
    began = time.monotonic()
    with RunFolder(plan) as folder:
        job = _Job(plan, folder, on_event)
        status, reason = job.work()
        result = Result(status, reason, plan.spec.output, plan.folder, time.monotonic() - began)
    on_event(Finished(status, result.output, result.folder, result.seconds))
    return result


class _Job:
    """One run under way."""

    def __init__(self, plan: Plan, folder: RunFolder, on_event: Observer) -> None:
        self._plan = plan
        self._spec = plan.spec
        self._folder = folder
        self._observers = (folder, on_event)
        self._pictures: dict[Path, Picture] = {}

    def work(self) -> tuple[str, str]:
        plan, spec = self._plan, self._spec
        torch.manual_seed(spec.seed)
        with self._stage("read"):
            photo = self._read(spec.content)
            check_output(spec.output, photo)
            for item in self._items().values():
                for path in item.style.images:
                    self._read(path)
            start = self._start(photo)
        with self._stage("load"):
            for record in plan.pretrained:
                weights.fetch(record, on_progress=self._on_progress(record.name))
            setting = _setting(plan)
        masks = self._segment(photo.pixels)

        canvas = photo.pixels
        outcome = Outcome(None, "finished")
        for number, item in self._items().items():
            canvas, outcome = self._repaint(number, item, canvas, masks.get(number), start, setting)
            if outcome.status != "finished":
                break

        with self._stage("write"):
            machine = describe_machine(setting.device, setting.precision)
            self._folder.complete(outcome.status, outcome.reason, machine)
            write_picture(spec.output, canvas, like=photo)
            self._folder.show()
        return outcome.status, outcome.reason

    # --- the steps --------------------------------------------------------------------------------

    def _items(self) -> Mapping[int | None, ObjectPlan]:
        """The objects by number, or the whole picture under None."""
        if self._plan.whole:
            return {None: self._plan.whole}
        return dict(enumerate(self._plan.objects))

    def _read(self, path: Path) -> Picture:
        if path not in self._pictures:
            limit = self._spec.max_megapixels
            self._pictures[path] = read_picture(path, max_megapixels=limit)
        return self._pictures[path]

    def _start(self, photo: Picture) -> Tensor | None:
        if self._spec.start in ("content", "noise"):
            return None
        return resize(self._read(Path(self._spec.start)).pixels, photo.size)

    def _segment(self, photo: Tensor) -> dict[int | None, Mask]:
        """The mask of each object; a pixel that two of them claim goes to the first."""
        masks: dict[int | None, Mask] = {}
        seen: dict[Any, Segmentation] = {}
        claimed = torch.zeros_like(photo[:1])
        for number, item in enumerate(self._plan.objects):
            with self._stage("segment", number), _about(number):
                prompt = prompt_of(item.select, (photo.shape[1], photo.shape[2]))
                key = (repr(item.segmenter), prompt)
                if key not in seen:
                    seen[key] = item.segmenter.create().segment(photo, prompt)
                mask = select_object(seen[key], item.select, self._emit)
                free = 1 - claimed
                if not (mask.decision * free).any():
                    raise InputError(
                        "nothing is left of this object: earlier ones cover it",
                        hint="objects claim their pixels in the order of the spec",
                    )
                masks[number] = Mask(mask.probability * free, mask.decision * free)
                claimed = torch.maximum(claimed, mask.decision)
        return masks

    def _repaint(
        self,
        number: int | None,
        item: ObjectPlan,
        canvas: Tensor,
        mask: Mask | None,
        start: Tensor | None,
        setting: Setting,
    ) -> tuple[Tensor, Outcome]:
        """The canvas with one more object repainted; as it was where nothing good came of it."""
        everything = torch.ones_like(canvas[:1])
        merger: Merger | None = item.merger.create() if mask else None
        paints = merger.paints(mask) if merger and mask else everything
        box = crop_box(paints, self._spec.margin)
        task = Task(
            content=cut(canvas, box),
            paints=cut(paints, box),
            mask=cut(mask.decision if mask else everything, box),
            styles=[self._read(path).pixels for path in item.style.images],
            start=None if start is None else cut(start, box),
        )
        with self._stage("stylize", number), _about(number):
            outcome = stylize(task, item, self._spec, setting, self._on_step(number))
        if outcome.picture is None:
            if number:  # the objects before it are done, and worth keeping
                return canvas, outcome
            if outcome.status == "interrupted":
                raise InterruptedRun("interrupted before there was anything to save")
            raise InstyleError(
                outcome.reason,
                where=None if number is None else f"objects.{number}",
                hint="nothing was written; lower its weight or the learning rate",
            )
        with self._stage("merge", number), _about(number):
            picture = outcome.picture.cpu()
            merged = put_back(task, picture)
            if merger and mask:
                part = Mask(cut(mask.probability, box), cut(mask.decision, box))
                merged = merger.merge(task.content, merged, part)
            x0, y0, x1, y1 = box
            canvas = canvas.clone()
            canvas[:, y0:y1, x0:x1] = merged
        facts: dict[str, Any] = {"crop": list(box), "worked_at": list(picture.shape[1:])}
        if mask:
            facts["box"] = list(box_of(mask.decision))
            facts["pixels"] = int(mask.decision.sum())
        self._folder.keep(number, mask.probability if mask else None, picture, **facts)
        return canvas, outcome

    # --- telling ----------------------------------------------------------------------------------

    def _emit(self, event: Event) -> None:
        for observer in self._observers:
            observer(event)

    @contextmanager
    def _stage(self, stage: Stage, number: int | None = None) -> Iterator[None]:
        began = time.monotonic()
        self._emit(StageStarted(stage, number, max(1, len(self._plan.objects))))
        yield
        self._emit(StageFinished(stage, number, time.monotonic() - began))

    def _on_step(self, number: int | None) -> Any:
        def tell(progress: Progress) -> None:
            total = sum(progress.terms.values())
            self._emit(
                Step(
                    number,
                    progress.step,
                    progress.steps,
                    progress.size,
                    progress.terms,
                    total,
                    progress.seconds_left,
                    progress.picture,
                )
            )

        return tell

    def _on_progress(self, name: str) -> Any:
        return lambda done, total: self._emit(Download(name, done, total))


@contextmanager
def _about(number: int | None) -> Iterator[None]:
    """Say which object an error is about."""
    try:
        yield
    except InstyleError as error:
        if error.where is None and number is not None:
            error.where = f"objects.{number}"
        raise


def _setting(plan: Plan) -> Setting:
    device = choose_device(plan.spec.device)
    extractors: dict[str, FeatureExtractor] = {
        name: use.create().to(device, torch.float32) for name, use in plan.extractors.items()
    }
    return Setting(extractors, device, choose_precision(plan.spec.precision, device))


def choose_device(name: str) -> torch.device:
    """The device that a spec names; ``auto`` is the fastest that there is.

    Raises:
        InputError: there is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there[device.type]:
        found = [kind for kind, available in there.items() if available]
        hint = f"there is: {', '.join(found)}; `device: auto` picks one"
        raise InputError(f"torch finds no device '{name}' here", hint=hint)
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The precision that a spec names; ``auto`` is bfloat16 where the processor is fast at it."""
    if name == "float32":
        return torch.float32
    if name == "bfloat16":
        return torch.bfloat16
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    # Without instructions of its own, a processor emulates bfloat16, which is slower. Torch keeps
    # the question private; a release without it is taken to have a processor without them.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    fast = device.type == "cpu" and supported()
    return torch.bfloat16 if fast else torch.float32
