"""The worker that paints: one run at a time, with its events and the picture as it grows."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import os
import signal
import time
from _thread import interrupt_main
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from instyle_core import InstyleError, Plan, atomic_write, plan_of, read_picture, run
from instyle_core.events import Event, Finished, Note, Ranked, StageFinished, StageStarted, Step

if TYPE_CHECKING:
    from instyle_studio.worker import Request, Tell

#: Seconds between two checkpoints.
_CHECKPOINT_S = 20.0

#: Seconds between two pictures of a run that goes on, and their long side in pixels.
_LIVE_S, _LIVE_SIDE = 1.0, 1024

#: The status of the command line where a run was interrupted before there was anything to save.
_INTERRUPTED = 130


class Painter:
    """Carries out the spec in the folder of a run."""

    def __init__(self) -> None:
        self._present = ""
        self._stopped: set[str] = set()

    def prepare(self) -> None:
        """Load what takes long to load."""
        torch.zeros(1)
        if hasattr(os, "nice"):
            os.nice(5)  # so that a click is answered at once while a picture is painted

    def __call__(self, request: Request, tell: Tell) -> dict[str, Any]:
        """Run ``spec.yaml`` in the folder ``run``; with ``resume``, go on from where it stopped."""
        folder = Path(request["run"])
        began = time.monotonic()
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._present = request["run"]
            if self._present in self._stopped:  # before it began
                return _nothing(began)
            plan = plan_of(folder / "spec.yaml")
            watch = Watch(plan, folder, tell)
            result = run(plan, watch, resume=request["resume"], checkpoint=_CHECKPOINT_S)
        except KeyboardInterrupt:
            return _nothing(began)
        except InstyleError as error:
            if error.exit_status == _INTERRUPTED:
                return _nothing(began)
            raise
        finally:
            self._present = ""
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            self._stopped.discard(request["run"])
        told = {"status": result.status, "reason": result.reason, "seconds": result.seconds}
        return {**told, "resumable": result.resumable, "saved": True}

    def interrupt(self, what: str) -> None:
        """What the first Ctrl-C is to the command line, for the run in a folder."""
        is_first = what not in self._stopped  # a second one would not wait for the step
        self._stopped.add(what)
        if is_first and self._present == what:
            interrupt_main(signal.SIGINT)


def _nothing(began: float) -> dict[str, Any]:
    """The answer of a run that was stopped before there was anything to save."""
    seconds = time.monotonic() - began
    reason = "it was stopped before there was anything to save"
    told = {"status": "interrupted", "reason": reason, "seconds": seconds}
    return {**told, "resumable": False, "saved": False}


class Watch:
    """Turns the events of a run into plain data, and writes its picture about once a second.

    Args:
        plan: of the run.
        folder: gets ``live.jpg``: the photo, with what is painted so far in its place.
        tell: is told of events.
    """

    def __init__(self, plan: Plan, folder: Path, tell: Tell) -> None:
        self._spec = plan.spec
        self._path = folder / "live.jpg"
        self._tell = tell
        self._canvas: Image.Image | None = None
        self._scale = 1.0
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        match event:
            case Step():
                facts = {key: getattr(event, key) for key in _TOLD}
                self._tell({"type": "step", **facts, "losses": dict(event.losses)})
                self._show(event)
            case StageStarted():
                self._tell({"type": "stage", **asdict(event)})
            case StageFinished():
                self._tell({"type": "stage-done", **asdict(event)})
            case Note():
                self._tell({"type": "note", "message": event.message})
            case Ranked():
                scores = [[path.name, rating.score] for path, rating in event.ranking.items()]
                self._tell({"type": "ranked", "item": event.item, "ranking": scores})
            case Finished():
                pass  # the server tells that, once it has the answer
            case _:
                self._tell({"type": "download", **asdict(event)})

    def _show(self, step: Step) -> None:
        """Write the picture, unless that was done a moment ago."""
        is_last = step.step == step.steps
        if time.monotonic() - self._last < _LIVE_S and not is_last:
            return
        canvas = self._canvas or self._photo()
        self._canvas = canvas
        x0, y0, x1, y1 = (round(side * self._scale) for side in step.box)
        crop = _image(step.picture()).resize((max(1, x1 - x0), max(1, y1 - y0)))
        canvas.paste(crop, (x0, y0))
        with atomic_write(self._path) as temporary:
            canvas.save(temporary, quality=85)
        self._last = time.monotonic()
        self._tell({"type": "live", "item": step.item, "step": step.step})

    def _photo(self) -> Image.Image:
        """The photo, small; and how much smaller than the one that boxes are in pixels of."""
        spec = self._spec
        longest = min(_LIVE_SIDE, spec.shrink or _LIVE_SIDE)
        picture = read_picture(spec.content, max_megapixels=spec.max_megapixels, longest=longest)
        full = max(picture.full_size or picture.size)
        self._scale = max(picture.size) / min(full, spec.shrink or full)
        return _image(picture.pixels)


_TOLD = ("item", "step", "steps", "size", "box", "total", "seconds_left")


def _image(pixels: Tensor) -> Image.Image:
    """A picture (3, H, W) in [0, 1] as Pillow has it."""
    levels = (pixels.detach().float().cpu().clamp(0, 1) * 255).round().byte()
    return Image.fromarray(np.ascontiguousarray(levels.permute(1, 2, 0).numpy()))
