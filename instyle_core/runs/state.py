"""Where an interrupted run stands, in memory and as a file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from instyle_core.errors import InputError
from instyle_core.files import sha256_of
from instyle_core.interfaces.pictures import Box
from instyle_core.optimization.optimize import OptimizationState
from instyle_core.optimization.scale import ScaleState

_FORMAT = 4


#: A box of the photo, and float32 (3, h, w) in [0, 1] for it, not rounded as in a file.
Patch = tuple[Box, Tensor]


@dataclass(frozen=True)
class RunState:
    """Where a run stands: all that it takes to go on to the same bytes.

    What is read, loaded and segmented is not part of it: that is done anew, with the same result.

    Attributes:
        finished: how many objects are finished, which is the number of the one under way.
        patches: what the finished ones made of the photo, in their order.
        random: where random numbers stood when the object under way was begun.
        optimization: where its optimization stands; None at the beginning.
    """

    finished: int
    patches: Sequence[Patch]
    random: list[Tensor]
    optimization: OptimizationState | None = None

    @property
    def begun(self) -> bool:
        """Whether anything is done that need not be done again."""
        return self.finished > 0 or self.optimization is not None

    @property
    def steps(self) -> int:
        """How many steps of the object under way are done."""
        return self.optimization.steps if self.optimization else 0


def dump_state(state: RunState) -> bytes:
    """A state as the bytes of a file: tensors, numbers and names, no code."""
    content = {"format": _FORMAT, **vars(state)}
    if state.optimization:
        scale = state.optimization.scale
        content["optimization"] = {**vars(state.optimization), "scale": scale and vars(scale)}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def load_state(path: Path, sha256: str, device: str) -> RunState:
    """The state that a file was written from.

    Args:
        path: of the file.
        sha256: of the file as it was written.
        device: where the run goes on.

    Raises:
        InputError: the file cannot be read, or is not as it was written.
    """
    try:
        if sha256_of(path) != sha256:  # torch does not notice a byte that is wrong
            raise ValueError("it is not as it was written")
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content.pop("format") != _FORMAT:
            raise ValueError("another version of instyle wrote it")
        if (inner := content["optimization"]) is not None:
            inner["scale"] = inner["scale"] and ScaleState(**inner["scale"])
            inner["best"] = inner["best"].to(device)  # it is resized there at the next scale
            content["optimization"] = OptimizationState(**inner)
        return RunState(**content)
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from error
    except Exception as error:  # whatever torch makes of arbitrary bytes
        raise damaged(path, str(error).partition("\n")[0]) from error


def damaged(path: Path, reason: str) -> InputError:
    """The error about a file of an interrupted run that cannot be used."""
    return InputError(
        f"this is damaged, and the run cannot go on from it: {reason}",
        where=str(path),
        hint="to start again from the beginning, leave out --resume",
    )
