"""What a run tells its observers: the terminal, the report and the tests see the same events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from instyle_core.errors import InstyleError

if TYPE_CHECKING:
    from torch import Tensor

    from instyle_core.interfaces.ranker import Rating

Stage = Literal["read", "load", "segment", "rank", "stylize", "merge", "write"]


@dataclass(frozen=True)
class StageStarted:
    """A stage begins; `item` numbers the object from 0 on, None for the whole picture."""

    stage: Stage
    item: int | None = None
    items: int = 1


@dataclass(frozen=True)
class StageFinished:
    """A stage is done; it took so many seconds."""

    stage: Stage
    item: int | None
    seconds: float


@dataclass(frozen=True)
class Download:
    """Weights are being downloaded: bytes so far, and in all (None if the server does not say)."""

    name: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Step:
    """One step of the optimization.

    Attributes:
        item: number of the object, None for the whole picture.
        step: from 1 to `steps`, over all scales.
        size: (height, width) of this scale.
        box: the crop, in pixels of the photo as it was read.
        losses: each loss times its weight, by name.
        total: the objective, their sum.
        seconds_left: an estimate for this object and those after it; None after the first step.
        picture: makes the present crop, float32 (3, H, W) at this scale.
    """

    item: int | None
    step: int
    steps: int
    size: tuple[int, int]
    box: tuple[int, int, int, int]
    losses: Mapping[str, float]
    total: float
    seconds_left: float | None
    picture: Callable[[], Tensor] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Note:
    """Something that the user may want to know and that is not an error."""

    message: str


@dataclass(frozen=True)
class Ranked:
    """The pictures of a style folder, best first; the first one is the object's style.

    Attributes:
        item: number of the object, None for the whole picture.
        ranking: the pictures that could be read, each with its rating.
    """

    item: int | None
    ranking: Mapping[Path, Rating]


@dataclass(frozen=True)
class Finished:
    """The run is over and its files are written.

    Attributes:
        status: ``finished``, ``interrupted`` or ``diverged``.
        output: the picture.
        folder: everything else that was written.
        seconds: the time that the run took.
    """

    status: str
    output: Path
    folder: Path
    seconds: float


Event = StageStarted | StageFinished | Download | Step | Note | Ranked | Finished

Observer = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The observer that does nothing."""


def tell_notes(notes: Iterable[str], of: str | Path, tell: Observer) -> None:
    """Tell what there is to know about a file or a part of the spec."""
    for note in notes:
        tell(Note(f"{of}: {note}"))


class Teller:
    """Passes the events of one run on to its observers.

    Painting survives its audience: an observer that can no longer write, since its terminal or pipe
    is gone or its disk is full, is told of nothing more.

    Args:
        observers: each is told of every event, in this order.
        items: how many objects the run has; 0 for the whole picture.
    """

    def __init__(self, *observers: Observer, items: int = 0) -> None:
        self._observers = [*observers]
        self._items = max(1, items)

    def __call__(self, event: Event) -> None:
        """Tell of an event."""
        for observer in [*self._observers]:
            try:
                observer(event)
            except OSError:
                self._observers.remove(observer)
            except ValueError as error:
                if "closed file" not in str(error):
                    raise
                self._observers.remove(observer)

    @contextmanager
    def stage(self, stage: Stage, item: int | None = None) -> Iterator[None]:
        """Tell of a part of the work, and of which object an error in it is about."""
        began = time.monotonic()
        self(StageStarted(stage, item, self._items))
        try:
            yield
        except InstyleError as error:
            if error.where is None and item is not None:
                error.where = f"objects.{item}"
            raise
        self(StageFinished(stage, item, time.monotonic() - began))
