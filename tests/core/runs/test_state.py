"""The state of a run as a file: what is read back is what was written, or an error says why not."""

from __future__ import annotations

import hashlib
import math
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instyle_core.config.optimizer import LBFGS, Adam
from instyle_core.errors import InputError
from instyle_core.optimization.optimize import OptimizationState, optimize
from instyle_core.optimization.random_state import random_state
from instyle_core.runs.state import RunState, damaged, dump_state, load_state
from instyle_core.testing import picture
from tests.core.helpers.objectives import SIZE, Toy, steady
from tests.core.helpers.pictures import FEW


def written(state: RunState, folder: Path) -> tuple[Path, str]:
    data = dump_state(state)
    (folder / "state.pt").write_bytes(data)
    return folder / "state.pt", hashlib.sha256(data).hexdigest()


def read_back(state: RunState, folder: Path) -> RunState:
    return load_state(*written(state, folder), "cpu")


def assert_same(one: Any, other: Any) -> None:
    """Of the same types, and equal to the last bit, however deep."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.numpy().tobytes() == other.numpy().tobytes()
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            assert_same(*pair)
    elif hasattr(one, "__dict__"):
        assert_same(vars(one), vars(other))
    elif isinstance(one, float):
        assert math.copysign(1, one) == math.copysign(1, other)
        assert one == other
    else:
        assert one == other


def stopped_after(step: int, settings: Adam | LBFGS) -> OptimizationState:
    """The state of a real optimization at two sizes."""

    def on_step(progress: Any) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    outcome = optimize(
        lambda size: Toy({"a": steady}, size), [SIZE, (8, 9)], picture(*SIZE), settings, on_step
    )
    assert outcome.state is not None
    assert outcome.state.steps == step
    return outcome.state


@pytest.mark.parametrize("settings", [Adam(steps=6, scales=2), LBFGS(steps=6, scales=2)], ids=str)
@pytest.mark.parametrize("step", [1, 3, 5])
def test_the_state_of_an_optimization(tmp_path: Path, settings: Any, step: int) -> None:
    patches = [((1, 2, 9, 8), picture(6, 8, seed=1)), ((0, 0, 3, 3), picture(3, 3, seed=2))]
    state = RunState(2, patches, random_state(), stopped_after(step, settings))
    again = read_back(state, tmp_path)
    assert_same(again, state)
    assert again.begun
    assert again.steps == step


@FEW
@given(
    finished=st.integers(0, 5),
    boxes=st.lists(st.tuples(*[st.integers(0, 9)] * 4), max_size=3),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_state_between_two_objects(
    tmp_path: Path, finished: int, boxes: list[Any], seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    patches = [(box, torch.rand(3, 4, 5, generator=generator)) for box in boxes]
    state = RunState(finished, patches, [generator.get_state()])
    again = read_back(state, tmp_path)
    assert_same(again, state)
    assert again.begun == (finished > 0)
    assert again.steps == 0


def test_pixels_are_not_rounded_to_those_of_a_file(tmp_path: Path) -> None:
    third = torch.full((3, 2, 2), 1 / 3)
    ((_, pixels),) = read_back(RunState(1, [((0, 0, 2, 2), third)], []), tmp_path).patches
    assert torch.equal(pixels, third)


# --- what cannot be used --------------------------------------------------------------------------


def refused(path: Path, sha256: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load_state(path, sha256, "cpu")
    assert caught.value.where == str(path)
    assert "damaged" in caught.value.what
    assert "\n" not in caught.value.what
    assert "--resume" in (caught.value.hint or "")
    return caught.value


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 1.0])
def test_a_byte_that_is_wrong_is_found(tmp_path: Path, place: float) -> None:
    path, sha256 = written(RunState(1, [((0, 0, 9, 9), picture(9, 9))], random_state()), tmp_path)
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    assert "has changed since it was written" in refused(path, sha256).what


def test_a_file_that_is_missing_or_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "state.pt", "").what
    assert "a folder" in refused(tmp_path, "").what


@pytest.mark.parametrize("content", [b"", b"no state", pickle.dumps({"format": 4}, protocol=2)])
def test_a_file_of_something_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.pt"
    path.write_bytes(content)
    refused(path, hashlib.sha256(content).hexdigest())


def test_a_file_of_another_version_says_so(tmp_path: Path) -> None:
    path, _ = written(RunState(0, [], []), tmp_path)
    content = torch.load(path, weights_only=True)
    torch.save({**content, "format": content["format"] + 1}, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert "another version of instyle wrote it" in refused(path, sha256).what


def test_a_file_has_no_code_in_it(tmp_path: Path) -> None:
    """Torch reads it with weights alone, whatever the state is."""
    state = RunState(1, [((0, 0, 9, 9), picture(9, 9))], random_state(), stopped_after(2, Adam()))
    path, _ = written(state, tmp_path)
    assert torch.load(path, weights_only=True)["finished"] == 1


def test_the_error_about_a_damaged_file_has_reason_place_and_hint() -> None:
    error = damaged(Path("out.png.run/losses.csv"), "a row is missing")
    assert str(error) == (
        "out.png.run/losses.csv: this file is damaged, so the run cannot be resumed: a row is "
        "missing (to start again from the beginning, leave out --resume)"
    )
    assert error.exit_status == 2
