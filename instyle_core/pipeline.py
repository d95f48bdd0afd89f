"""The one way through: read, segment, stylize, merge, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from instyle_core.config.plan import ObjectPlan, Plan, part_name
from instyle_core.device import (
    choose_device,
    choose_precision,
    choose_tile,
    describe_machine,
    keep_freed_memory,
)
from instyle_core.errors import InputError, InstyleError, InterruptedRun
from instyle_core.events import (
    Download,
    Event,
    Finished,
    Note,
    Observer,
    Stage,
    StageFinished,
    StageStarted,
    Step,
    ignore,
)
from instyle_core.images.picture import Picture, check_output, read_picture, write_picture
from instyle_core.images.resize import resize
from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.merger import Merger
from instyle_core.interfaces.params import ExtractorParams
from instyle_core.interfaces.pictures import Box, Mask, Size
from instyle_core.interfaces.ranker import Rating
from instyle_core.interfaces.segmenter import Segmentation
from instyle_core.objects.boxes import box_of, crop, crop_box, paste
from instyle_core.objects.select import prompt_of, refine, select_object, shrunk
from instyle_core.optimization.interrupts import deferred
from instyle_core.optimization.optimize import OptimizationState, Outcome, Progress
from instyle_core.optimization.random_state import random_state, restore_random_state
from instyle_core.optimization.time_left import TimeLeft
from instyle_core.painting.objective import Crop
from instyle_core.painting.ranking import dump_ranking, rank_for_each
from instyle_core.painting.style_cache import StyleCache
from instyle_core.painting.stylize import Networks, levels_for, put_back, stylize
from instyle_core.runs.folder import RunFolder
from instyle_core.runs.record import Earlier
from instyle_core.runs.resume import find
from instyle_core.runs.seam import measure_seam
from instyle_core.runs.state import Patch, RunState
from instyle_core.weights import fetch as weights


@dataclass(frozen=True)
class Result:
    """What a run came to.

    Attributes:
        status: ``finished``, ``interrupted`` or ``diverged``.
        reason: why it did not finish, else empty.
        output: the picture that was written.
        folder: everything else that was written.
        seconds: the time that it took.
        resumable: whether it was interrupted, and can go on from there.
    """

    status: str
    reason: str
    output: Path
    folder: Path
    seconds: float
    resumable: bool = False


def run(plan: Plan, on_event: Observer = ignore, *, resume: bool = False) -> Result:
    """Carry out a plan.

    Ctrl-C and a loss that diverges end the optimization early; the best so far is merged and
    written, and the result says so. The first Ctrl-C lets the step under way end, or the merging
    and writing where nothing is left to be stopped; a second one ends it at once.

    Args:
        plan: what to do.
        on_event: told of all that happens.
        resume: go on with the interrupted run in the plan's folder. On the same machine, it ends
            with the same bytes as if it had never been interrupted.

    Raises:
        InputError: a picture, a mask or a selection cannot be used; or there is no run to resume,
            or not with this plan.
        WeightsError: weights cannot be had.
        InterruptedRun: interrupted before there was anything to save.
        KeyboardInterrupt: interrupted while there was no optimization under way.
    """
    began = time.monotonic()
    keep_freed_memory()
    earlier = find(plan, _machine(plan)) if resume else None
    with RunFolder(plan) as folder:
        if earlier:
            folder.take_over(earlier)
        outcome, resumable = _Job(plan, folder, on_event).work(earlier)
        seconds = time.monotonic() - began
        result = Result(
            outcome.status, outcome.reason, plan.spec.output, plan.folder, seconds, resumable
        )
    on_event(Finished(result.status, result.output, result.folder, result.seconds))
    return result


@dataclass(frozen=True)
class _Scene:
    """What there is before anything is painted: read, loaded and found, the same in each run.

    Attributes:
        photo: the photo.
        start: a picture to start from, (3, H, W); None for the content or noise.
        setting: extractors, device and precision.
        masks: of the objects, by number; none for the whole picture.
        rankings: of the pictures of a style folder, best first, for objects that choose from one.
        paints: 0 or 1, (1, H, W): the pixels that each object repaints; no pixel is two objects'.
        clock: tells how long that will take.
    """

    photo: Picture
    start: Tensor | None
    setting: Networks
    masks: Mapping[int | None, Mask]
    rankings: Mapping[int | None, Mapping[Path, Rating]]
    paints: Mapping[int | None, Tensor]
    clock: TimeLeft


class _Job:
    """One run under way."""

    def __init__(self, plan: Plan, folder: RunFolder, on_event: Observer) -> None:
        self._plan = plan
        self._spec = plan.spec
        self._folder = folder
        self._observers = (folder, on_event)
        self._pictures: dict[Path, Picture] = {}

    def work(self, earlier: Earlier | None) -> tuple[Outcome, bool]:
        """Go all the way, or the rest of it; returns what it came to, and whether it can go on."""
        if earlier and earlier.changes:
            self._emit(Note(earlier.changes))
        scene = self._prepare()
        with deferred() as stop_is_asked_for:
            state = earlier.state if earlier else RunState(0, [], random_state())
            canvas, outcome, state = self._paint(scene, state, stop_is_asked_for)
            resumable = outcome.status == "interrupted" and state.begun
            with self._stage("write"):
                kept = state if resumable else None
                machine = _machine(self._plan)
                self._folder.complete(outcome.status, outcome.reason, machine, kept)
                write_picture(self._spec.output, canvas, like=scene.photo)
                self._folder.publish()
        return outcome, resumable

    # --- the steps --------------------------------------------------------------------------------

    def _prepare(self) -> _Scene:
        plan, spec = self._plan, self._spec
        torch.manual_seed(spec.seed)
        with self._stage("read"):
            photo = self._read(spec.content)
            check_output(spec.output, photo)
            for item in self._items().values():
                for path in item.style.images or ():
                    self._read(path)
            start = self._start(photo)
        with self._stage("load"):
            for record in plan.pretrained:
                weights.fetch(record, on_progress=self._on_progress(record.name))
            setting = _setting(plan)
        masks = self._segment(photo)
        rankings = self._rank(photo, masks, setting)
        paints = self._divide(masks, photo.pixels)
        boxes = [self._crop_box(masks.get(number), area) for number, area in paints.items()]
        clock = TimeLeft([levels_for(_size(box), spec) for box in boxes])
        return _Scene(photo, start, setting, masks, rankings, paints, clock)

    def _items(self) -> Mapping[int | None, ObjectPlan]:
        """The objects by number, or the whole picture under None."""
        if self._plan.whole:
            return {None: self._plan.whole}
        return dict(enumerate(self._plan.objects))

    def _read(self, path: Path) -> Picture:
        if path not in self._pictures:
            limit, longest = self._spec.max_megapixels, self._spec.shrink
            picture = read_picture(path, max_megapixels=limit, longest=longest)
            self._pictures[path] = picture
        return self._pictures[path]

    def _start(self, photo: Picture) -> Tensor | None:
        if self._spec.start in ("content", "noise"):
            return None
        return resize(self._read(Path(self._spec.start)).pixels, photo.size)

    def _segment(self, picture: Picture) -> dict[int | None, Mask]:
        """The mask of each object; a pixel that two of them claim goes to the first."""
        photo = picture.pixels
        masks: dict[int | None, Mask] = {}
        seen: dict[Any, Segmentation] = {}
        claimed = torch.zeros_like(photo[:1])
        for number, item in enumerate(self._plan.objects):
            with self._stage("segment", number), _about(number):
                select = shrunk(item.select, picture.full_size or picture.size, picture.size)
                prompt = prompt_of(select, picture.size)
                key = (repr(item.segmenter), prompt)
                if key not in seen:
                    seen[key] = item.segmenter.create().segment(photo, prompt)
                mask = select_object(seen[key], select, self._emit)
                mask = refine(mask, photo, item.segmenter)
                free = 1 - claimed
                left = float((mask.decision * free).sum() / mask.decision.sum())
                if not left:
                    raise InputError(
                        "nothing is left of this object: earlier ones cover it",
                        hint="objects claim their pixels in the order of the spec",
                    )
                if left < 1:
                    self._emit(
                        Note(f"objects.{number}: earlier objects cover {1 - left:.1%} of it")
                    )
                masks[number] = Mask(mask.probability * free, mask.decision * free)
                claimed = torch.maximum(claimed, mask.decision)
        return masks

    def _rank(
        self, photo: Picture, masks: Mapping[int | None, Mask], setting: Networks
    ) -> Mapping[int | None, Mapping[Path, Rating]]:
        """How well the pictures of style folders suit the objects."""
        items, spec = self._items(), self._spec
        if not any(item.style.choose_from for item in items.values()):
            return {}
        with self._stage("rank"):
            limit = spec.max_megapixels
            return rank_for_each(
                items, photo, masks, spec.margin, setting, self._emit, max_megapixels=limit
            )

    def _divide(self, masks: Mapping[int | None, Mask], photo: Tensor) -> dict[int | None, Tensor]:
        """The pixels that each object repaints: what its merger wants but for the pixels of other
        objects, and for those around earlier ones that these have blended."""
        paints: dict[int | None, Tensor] = {}
        taken = torch.zeros_like(photo[:1])
        for number, item in self._items().items():
            mask = masks.get(number)
            if mask is None:
                paints[number] = torch.ones_like(taken)
                continue
            others = [other.decision for key, other in masks.items() if key != number]
            wanted = item.merger.create().paints(mask)
            paints[number] = wanted * (1 - reduce(torch.maximum, others, taken))
            taken = torch.maximum(taken, paints[number])
        return paints

    def _paint(
        self, scene: _Scene, state: RunState, stop_is_asked_for: Callable[[], bool]
    ) -> tuple[Tensor, Outcome, RunState]:
        """The photo with its objects repainted, from a state on, and the state that it ends in."""
        canvas = scene.photo.pixels
        for box, pixels in state.patches:
            canvas = paste(canvas, box, pixels)
        outcome = Outcome(None, "finished")
        items = list(self._items().items())
        for number, item in items[state.finished :]:
            restore_random_state(state.random)
            patch, outcome = self._repaint(scene, canvas, number, item, state.optimization)
            canvas = paste(canvas, *patch) if patch else canvas
            if outcome.status != "finished":
                return canvas, outcome, replace(state, optimization=outcome.state)
            assert patch  # all steps were good
            state = RunState(state.finished + 1, [*state.patches, patch], random_state())
            if stop_is_asked_for() and state.finished < len(items):
                return canvas, Outcome(None, "interrupted", "interrupted"), state
        return canvas, outcome, state

    def _repaint(
        self,
        scene: _Scene,
        canvas: Tensor,
        number: int | None,
        item: ObjectPlan,
        resume_from: OptimizationState | None,
    ) -> tuple[Patch | None, Outcome]:
        """What one more object makes of the canvas; None where nothing good came of it."""
        mask = scene.masks.get(number)
        paints = scene.paints[number]
        ranking = scene.rankings.get(number)
        pictures = [next(iter(ranking))] if ranking else item.style.images or []
        box = self._crop_box(mask, paints)
        task = Crop(
            content=crop(canvas, box),
            paints=crop(paints, box),
            mask=crop(mask.decision if mask else paints, box),
            styles=[self._read(path).pixels for path in pictures],
            start=None if scene.start is None else crop(scene.start, box),
            color=item.color,
        )
        with self._stage("stylize", number), _about(number):
            on_step = self._on_step(number, scene)
            outcome = stylize(
                task, item, self._spec, scene.setting, on_step, resume_from, self._on_note(number)
            )
        for step in outcome.flat:
            every = self._spec.optimizer.steps
            message = f"{part_name(number)}: the objective is flat at step {step} of {every}"
            self._emit(Note(f"{message}; the others of this size are left out"))
        if outcome.picture is None:
            if number:  # the objects before it are done, and worth keeping
                return None, outcome
            if outcome.status == "interrupted":
                raise InterruptedRun("interrupted before there was anything to save")
            raise InstyleError(
                outcome.reason,
                where=None if number is None else f"objects.{number}",
                hint="nothing was written; lower its weight if that is a large one",
            )
        with self._stage("merge", number), _about(number):
            picture = outcome.picture.cpu()
            facts: dict[str, Any] = {"crop": list(box), "worked_at": list(picture.shape[1:])}
            stylized = merged = put_back(task, picture)
            if mask:
                part = Mask(crop(mask.probability, box), crop(mask.decision, box))
                merger: Merger = item.merger.create()
                merged = merger.merge(task.content, stylized, part)
                merged = torch.where(task.paints > 0, merged, task.content)
                facts["box"] = list(box_of(mask.decision))
                facts["pixels"] = int(mask.decision.sum())
                facts["seam"] = vars(measure_seam(task.content, stylized, merged, part))
        if ranking:
            facts["style"] = {"chosen": str(pictures[0]), "ranking": dump_ranking(ranking)}
        self._folder.keep(number, mask.probability if mask else None, picture, **facts)
        return (box, merged), outcome

    def _crop_box(self, mask: Mask | None, paints: Tensor) -> Box:
        return crop_box(mask.decision if mask else paints, self._spec.margin, paints)

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

    def _on_step(self, number: int | None, scene: _Scene) -> Any:
        clock, index = scene.clock, number or 0
        clock.start()

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
                    clock.tick(index, progress.step),
                    progress.picture,
                )
            )

        return tell

    def _on_note(self, number: int | None) -> Callable[[str], None]:
        return lambda message: self._emit(Note(f"{part_name(number)}: {message}"))

    def _on_progress(self, name: str) -> Any:
        return lambda done, total: self._emit(Download(name, done, total))


def _size(box: Box) -> Size:
    x0, y0, x1, y1 = box
    return y1 - y0, x1 - x0


@contextmanager
def _about(number: int | None) -> Iterator[None]:
    """Say which object an error is about."""
    try:
        yield
    except InstyleError as error:
        if error.where is None and number is not None:
            error.where = f"objects.{number}"
        raise


def _setting(plan: Plan) -> Networks:
    device = choose_device(plan.spec.device)
    extractors: dict[str, FeatureExtractor] = {
        name: use.create().to(device, torch.float32) for name, use in plan.extractors.items()
    }
    precision = choose_precision(plan.spec.precision, device)
    tile = choose_tile(plan.spec.tile, device, precision)
    memory = StyleCache(plan.extractors, [device.type, str(precision), f"tiles of {tile}"])
    params = {
        name: use.params
        for name, use in plan.extractors.items()
        if isinstance(use.params, ExtractorParams)
    }
    return Networks(extractors, device, precision, params, tile, memory)


def _machine(plan: Plan) -> dict[str, Any]:
    device = choose_device(plan.spec.device)
    return describe_machine(device, choose_precision(plan.spec.precision, device))
