"""The state of an interrupted run, in memory and as a file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from torch import Tensor

from instyle_core.errors import InputError, InstyleError, first_line
from instyle_core.files import sha256_of
from instyle_core.interfaces.messages import in_words
from instyle_core.interfaces.pictures import Box
from instyle_core.optimization.optimize import OptimizationState
from instyle_core.runs.own_files import own_file
from instyle_core.weights.state_dict import check_archive, is_plain

#: Changed whenever older files can no longer be read.
_FORMAT = 5

#: A box of the photo and its pixels, float32 (3, h, w) in [0, 1], not rounded to 8 bits.
Patch = tuple[Box, Tensor]


@with_config(ConfigDict(arbitrary_types_allowed=True))
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


_types = TypeAdapter(RunState)


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
        own_file(path.parent, path.name)
        if sha256_of(path) != sha256:  # torch does not notice a single wrong byte
            raise ValueError("its content has changed since it was written")
        check_archive(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content.pop("format") != _FORMAT:
            raise ValueError("another version of instyle wrote it")
        for tensor in _tensors(content):
            if not is_plain(tensor):
                raise ValueError("a tensor in it would be larger than the file")
        state = _types.validate_python(content)
        if not all(picture.isfinite().all() for picture in _pictures(state)):
            raise ValueError("not all pixels in it are finite")
        if (inner := state.optimization) is not None:
            if inner.best is None or inner.steps < 1:
                raise ValueError("it has no steps")
            best = inner.best.to(device)  # the next scale resizes it there
            state = replace(state, optimization=replace(inner, best=best))
        return state
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from error
    except InstyleError as error:
        raise damaged(path, error.what) from error
    except ValidationError as error:
        raise damaged(path, in_words(error.errors()[0])) from error
    except Exception as error:  # torch may raise anything for arbitrary bytes
        raise damaged(path, first_line(error)) from error


def _tensors(content: Any) -> Iterator[Tensor]:
    """All tensors in nested data."""
    if isinstance(content, Tensor):
        yield content
    elif isinstance(content, Mapping | list | tuple):
        for part in content.values() if isinstance(content, Mapping) else content:
            yield from _tensors(part)


def _pictures(state: RunState) -> list[Tensor]:
    found = [pixels for _, pixels in state.patches]
    if inner := state.optimization:
        found += [inner.best] if inner.best is not None else []
        found += [inner.scale.pixels] if inner.scale else []
    return found


def damaged(path: Path, reason: str) -> InputError:
    """The error about an unusable file of an interrupted run."""
    return InputError(
        f"this file is damaged, so the run cannot be resumed: {reason}",
        where=str(path),
        hint="to start again from the beginning, leave out --resume",
    )
