"""The one way through: read, load, find, choose, paint, merge, write."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from instyle_core.config.plan import Plan, part_name
from instyle_core.device import choose_device, choose_precision, describe_machine
from instyle_core.errors import InstyleError, InterruptedRun, RescuedRun
from instyle_core.events import Download, Finished, Note, Observer, Step, Teller, ignore, tell_notes
from instyle_core.images.picture import Picture, check_output, encode_picture, read_picture
from instyle_core.images.resize import resize
from instyle_core.images.shape import compare_shape
from instyle_core.memory import keep_freed_memory, return_freed_memory
from instyle_core.objects.boxes import paste
from instyle_core.objects.find import FoundObject, find_objects
from instyle_core.optimization.interrupts import deferred
from instyle_core.optimization.optimize import Outcome, Progress
from instyle_core.optimization.random_state import random_state, restore_random_state
from instyle_core.optimization.time_left import TimeLeft
from instyle_core.painting.crop import Crop
from instyle_core.painting.merge import merge
from instyle_core.painting.networks import Networks, load_networks
from instyle_core.painting.ranking import choose_styles
from instyle_core.painting.style_picture import style_of
from instyle_core.painting.stylize import levels_for, stylize
from instyle_core.runs.folder import RunFolder, settle
from instyle_core.runs.notebook import gallery
from instyle_core.runs.resume import REMAINS, find, resuming
from instyle_core.runs.state import RunState
from instyle_core.validation import check
from instyle_core.weights.fetch import obtain


@dataclass(frozen=True)
class Result:
    """The result of a run.

    Attributes:
        status: ``finished``, ``interrupted`` or ``diverged``.
        reason: why it did not finish, else empty.
        content: the photo.
        output: the picture that was written.
        folder: everything else that was written.
        seconds: the time that it took.
        resumable: whether it was interrupted and can be resumed.
    """

    status: str
    reason: str
    content: Path
    output: Path
    folder: Path
    seconds: float
    resumable: bool = False

    def _repr_html_(self) -> str:
        """Before, after and masks, as a notebook shows them."""
        return gallery(self.content, self.output, self.folder)


#: Seconds between two checkpoints.
CHECKPOINT_S = 60.0


def run(
    plan: Plan,
    on_event: Observer = ignore,
    *,
    resume: bool | Literal["if possible"] = False,
    checkpoint: float = CHECKPOINT_S,
) -> Result:
    """Carry out a plan.

    Ctrl-C, a terminal that goes away, a limit of time and a loss that diverges end the optimization
    early; the best picture so far is merged and written, and the result says so. The first Ctrl-C
    lets the current step finish, or merging and writing; a second one ends the run at once. A run
    that dies can be resumed from its last checkpoint.

    Args:
        plan: the plan.
        on_event: is told of everything that happens.
        resume: go on with the interrupted run in the plan's folder; on the same machine, to the
            same bytes as without the interruption. "if possible" starts anew where there is none.
        checkpoint: seconds between two checkpoints.

    Raises:
        RescuedRun: the files could not be written to their places, and are elsewhere.
        SpecError: with everything that is known before any work, as `instyle pipeline validate`
            tells it; an `InputError` if it is one thing.
        InputError: a picture, a mask or a selection cannot be used; or there is no run that this
            plan can resume.
        WeightsError: weights are missing and cannot be downloaded.
        InterruptedRun: interrupted before there was anything to save.
        KeyboardInterrupt: interrupted outside of the optimization.
    """
    began = time.monotonic()
    check(plan)
    keep_freed_memory()
    device = choose_device(plan.spec.device)
    precision = choose_precision(plan.spec.precision, device)
    machine = describe_machine(device, precision)
    settle(plan)
    earlier = find(plan, machine, resume)
    with RunFolder(plan, machine, every=checkpoint) as folder:
        tell = Teller(folder, on_event, items=len(plan.objects))
        if earlier:
            folder.take_over(earlier)
            if earlier.changes:
                tell(Note(earlier.changes))
        elif folder.has_remains:
            tell(Note(REMAINS))
        for note in plan.notes:
            tell(Note(note))
        torch.manual_seed(plan.spec.seed)
        pictures = read(plan, tell)
        networks = load(plan, device, precision, tell)
        objects = find_objects(pictures.photo, plan.items, plan.spec.margin, tell)
        objects = choose_styles(objects, pictures.photo, plan, networks, tell)
        with deferred() as stop_is_asked_for:
            state = earlier.state if earlier else RunState(0, [], random_state())
            with resuming(earlier, lambda: folder.steps):
                canvas, outcome, state = paint(
                    objects, pictures, networks, plan, folder, tell, state, stop_is_asked_for
                )
            resumable = outcome.status == "interrupted" and state.begun
            with tell.stage("write"):
                kept = state if resumable else None
                write(plan, folder, canvas, pictures.photo, outcome, kept, tell)
        seconds = time.monotonic() - began
    return_freed_memory()
    status, content, output = outcome.status, plan.spec.content, plan.spec.output
    tell(Finished(status, output, plan.folder, seconds))
    return Result(status, outcome.reason, content, output, plan.folder, seconds, resumable)


def write(
    plan: Plan,
    folder: RunFolder,
    canvas: Tensor,
    photo: Picture,
    outcome: Outcome,
    state: RunState | None,
    tell: Teller,
) -> None:
    """Write the picture and everything else; where they can be, if not in their places.

    Raises:
        RescuedRun: they are elsewhere.
        InstyleError: they cannot be written anywhere.
    """
    output, picture = plan.spec.output, b""
    try:
        picture, notes = encode_picture(output, canvas, like=photo, metadata=plan.spec.metadata)
        tell_notes(notes, output, tell)
        folder.publish(picture, outcome.status, outcome.reason, state)
    except Exception as error:  # whatever it is, hours of work are not lost for it
        name = output.name if picture else f"{output.stem}.png"
        picture = picture or encode_picture(Path(name), canvas)[0]
        saved = folder.rescue(name, picture, outcome.status, outcome.reason, state)
        raise RescuedRun(error, output, saved) from error


@dataclass(frozen=True, eq=False)
class Pictures:
    """The pictures that a plan names.

    Attributes:
        photo: the photo.
        start: a picture of its size to start from, (3, H, W); None for the content or noise.
        style: reads a style picture, (3, h, w), unless it was read before.
    """

    photo: Picture
    start: Tensor | None
    style: Callable[[Path], Tensor]


def read(plan: Plan, tell: Teller) -> Pictures:
    """Read all pictures first, so that a bad one is found before any work is done."""
    spec = plan.spec
    with tell.stage("read"):

        @cache
        def one(path: Path) -> Picture:
            picture = read_picture(path, max_megapixels=spec.max_megapixels, longest=spec.shrink)
            tell_notes(picture.notes, path, tell)
            return picture

        @cache
        def style(path: Path) -> Tensor:
            pixels, notes = style_of(one(path))
            tell_notes(notes, path, tell)
            return pixels

        photo = one(spec.content)
        tell_notes(check_output(spec.output, photo, metadata=spec.metadata), spec.output, tell)
        for item in plan.items.values():
            for path in item.style.images or ():
                style(path)
        start = None
        if spec.start not in ("content", "noise"):
            path = Path(spec.start)
            picture = one(path)
            tell_notes(compare_shape("start picture", path, picture.size, photo.size), path, tell)
            start = resize(picture.pixels, photo.size)
            if picture.alpha is not None:  # the photo shows through
                alpha = resize(picture.alpha, photo.size)
                start = alpha * start + (1 - alpha) * photo.pixels
    return Pictures(photo, start, style)


def load(plan: Plan, device: torch.device, precision: torch.dtype, tell: Teller) -> Networks:
    """Download the weights that are missing, and load the extractors."""
    with tell.stage("load"):
        for weights in plan.pretrained:
            name = weights.name
            obtain(weights, on_progress=lambda *far, name=name: tell(Download(name, *far)))
        return load_networks(plan, device, precision)


def paint(
    objects: Sequence[FoundObject],
    pictures: Pictures,
    networks: Networks,
    plan: Plan,
    folder: RunFolder,
    tell: Teller,
    state: RunState,
    stop_is_asked_for: Callable[[], bool],
) -> tuple[Tensor, Outcome, RunState]:
    """Repaint one object after another, starting from a state.

    Returns:
        The photo with its objects repainted, the outcome of the last optimization, and the state.
    """
    spec = plan.spec
    time_left = TimeLeft([levels_for(found.size, spec) for found in objects])
    canvas = pictures.photo.pixels
    for patch in state.patches:
        canvas = paste(canvas, *patch)
    outcome = Outcome(None, "finished")
    for found in objects[state.finished :]:
        number = found.number
        restore_random_state(state.random)
        styles = [pictures.style(path) for path in found.styles]
        crop = Crop.of(found, canvas, styles, pictures.start)
        with tell.stage("stylize", number):
            on_step = _watch(found, time_left, tell, folder, state)
            on_note = partial(_note, number, tell)
            resume_from = state.optimization
            outcome = stylize(crop, found.plan, spec, networks, on_step, resume_from, on_note)
        for step in outcome.flat:
            flat = f"the objective is flat at step {step} of {spec.optimizer.steps}"
            _note(number, tell, f"{flat}; the remaining steps at this size are skipped")
        if outcome.picture is None and not number:
            raise _nothing_to_save(outcome, number)
        if outcome.picture is not None:
            with tell.stage("merge", number):
                painted = outcome.picture.cpu()
                merged, facts = merge(found, crop, painted)
            folder.keep(number, found.mask.probability, painted, **facts)
            canvas = paste(canvas, found.box, merged)
        if outcome.status != "finished":
            return canvas, outcome, replace(state, optimization=outcome.state)
        state = RunState(state.finished + 1, [*state.patches, (found.box, merged)], random_state())
        if stop_is_asked_for() and state.finished < len(objects):
            return canvas, Outcome(None, "interrupted", "interrupted"), state
    return canvas, outcome, state


def _watch(
    found: FoundObject, time_left: TimeLeft, tell: Teller, folder: RunFolder, state: RunState
) -> Callable[[Progress], None]:
    """An observer of the optimization of one object, which tells its steps and saves its state."""
    time_left.start()

    def on_step(progress: Progress) -> None:
        total = sum(progress.terms.values())
        left = time_left.tick(found.number or 0, progress.step)
        now = (progress.step, progress.steps, progress.size, found.box, progress.terms)
        tell(Step(found.number, *now, total, left, progress.picture))
        message = folder.checkpoint(lambda: replace(state, optimization=progress.state()))
        if message:
            _note(found.number, tell, message)

    return on_step


def _note(number: int | None, tell: Teller, message: str) -> None:
    tell(Note(f"{part_name(number)}: {message}"))


def _nothing_to_save(outcome: Outcome, number: int | None) -> InstyleError:
    """The error if the first object has no picture; later ones leave earlier objects to save."""
    if outcome.status == "interrupted":
        return InterruptedRun("interrupted before there was anything to save")
    where = None if number is None else f"objects.{number}"
    hint = "nothing was written; lower its weight if that is a large one"
    return InstyleError(outcome.reason, where=where, hint=hint)
