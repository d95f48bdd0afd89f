"""The state of an interrupted run, in memory and as a file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from instyle_core.errors import InputError, first_line
from instyle_core.files import sha256_of
from instyle_core.interfaces.pictures import Box
from instyle_core.optimization.optimize import OptimizationState
from instyle_core.optimization.scale import ScaleState

#: Changed whenever older files can no longer be read.
_FORMAT = 5

#: A box of the photo and its pixels, float32 (3, h, w) in [0, 1], not rounded to 8 bits.
Patch = tuple[Box, Tensor]


@dataclass(frozen=True)
class RunState:
    """The state of a run, from which it continues to the same bytes as without an interruption.

    Pictures, networks and masks are not part of it: they are read, loaded and computed again, with
    the same result.

    Attributes:
        finished: the number of finished objects, which is the index of the current one.
        patches: the repainted crops of the finished objects, in their order.
        random: the random state at the start of the current object.
        optimization: the state of its optimization; None at its start.
    """

    finished: int
    patches: Sequence[Patch]
    random: list[Tensor]
    optimization: OptimizationState | None = None

    @property
    def begun(self) -> bool:
        """Whether resuming saves any step."""
        return self.finished > 0 or self.optimization is not None

    @property
    def steps(self) -> int:
        """The number of steps done for the current object."""
        return self.optimization.steps if self.optimization else 0


def dump_state(state: RunState) -> bytes:
    """The bytes of a file with a state: tensors, numbers and names, no code."""
    content = {"format": _FORMAT, **vars(state)}
    if state.optimization:
        scale = state.optimization.scale
        content["optimization"] = {**vars(state.optimization), "scale": scale and vars(scale)}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def load_state(path: Path, sha256: str, device: str) -> RunState:
    """Read a state back from its file.

    Args:
        path: of the file.
        sha256: of the file when it was written.
        device: of the resumed run.

    Raises:
        InputError: the file cannot be read, or has been changed.
    """
    try:
        if sha256_of(path) != sha256:  # torch does not notice a single wrong byte
            raise ValueError("its content has changed since it was written")
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content.pop("format") != _FORMAT:
            raise ValueError("another version of instyle wrote it")
        if (inner := content["optimization"]) is not None:
            inner["scale"] = inner["scale"] and ScaleState(**inner["scale"])
            inner["best"] = inner["best"].to(device)  # the next scale resizes it there
            content["optimization"] = OptimizationState(**inner)
        return RunState(**content)
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from error
    except Exception as error:  # torch may raise anything for arbitrary bytes
        raise damaged(path, first_line(error)) from error


def damaged(path: Path, reason: str) -> InputError:
    """The error about an unusable file of an interrupted run."""
    return InputError(
        f"this file is damaged, so the run cannot be resumed: {reason}",
        where=str(path),
        hint="to start again from the beginning, leave out --resume",
    )
