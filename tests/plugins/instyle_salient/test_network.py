"""ONNX files: what they compute, and every way in which one can be of no use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from instyle_core import WeightsError
from instyle_salient.network import Network
from tests.plugins.instyle_salient.networks import logits, save, sigmoid


def compute(path: Path) -> Any:
    network = Network(path, 32)
    return network(np.zeros((3, *network.size), np.float32))


def unusable(path: Path) -> WeightsError:
    """The error of a file, whenever it comes."""
    with pytest.raises(WeightsError) as caught:
        compute(path)
    error = caught.value
    assert error.exit_status == 3
    assert error.where == str(path)
    assert error.hint
    assert "\n" not in error.what
    return error


def test_it_computes_what_numpy_does(onnx_file: Path) -> None:
    picture = np.random.default_rng(1).normal(size=(3, 32, 32)).astype(np.float32)
    network = Network(onnx_file, 99)
    assert network.size == (32, 32)
    np.testing.assert_allclose(network(picture), sigmoid(logits(picture)), atol=1e-5)


@pytest.mark.parametrize("sides", [("height", "width"), ("height", 24), (24, "width")])
def test_sides_that_the_file_leaves_open(tmp_path: Path, sides: Any) -> None:
    path = save(tmp_path / "net.onnx", shape=("batch", 3, *sides), output=("batch", 1, *sides))
    network = Network(path, 40)
    assert network.size == tuple(side if isinstance(side, int) else 40 for side in sides)
    picture = np.random.default_rng(1).normal(size=(3, *network.size)).astype(np.float32)
    np.testing.assert_allclose(network(picture), sigmoid(logits(picture)), atol=1e-5)


def test_as_many_threads_as_torch(onnx_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    chosen = Network(onnx_file, 32)._session.get_session_options()
    assert (chosen.intra_op_num_threads, chosen.inter_op_num_threads) == (3, 1)


# --- files of no use ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "cannot load the network"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n" + bytes(99)), "cannot load the network"),
        (lambda path: path.write_bytes(save(path).read_bytes()[:-40]), "cannot load the network"),
        (lambda path: save(path, shape=(1, 4, 32, 32)), "of the form 1x4x32x32 instead of"),
        (lambda path: save(path, inputs=2), "has 2 inputs instead of 1"),
        (
            lambda path: save(path, kind=TensorProto.FLOAT16),
            "input is tensor(float16) of the form 1x3x32x32 instead of tensor(float)",
        ),
        (
            lambda path: save(
                path,
                output=(1, 2, 32, 32),
                extra=[helper.make_node("Concat", ["scores", "scores"], ["more"], axis=1)],
            ),
            "first answer has the form 1x2x32x32 instead of 1x1xHxW",
        ),
        (
            lambda path: save(
                path,
                output=(1,),
                extra=[
                    helper.make_node("ReduceMean", ["scores"], ["more"], axes=[1, 2, 3], keepdims=0)
                ],
            ),
            "first answer has the form 1 instead of",
        ),
        (
            lambda path: save(
                path,
                output=("a", "b", "c", "d"),
                shape=(1, 3, "h", "w"),
                extra=[helper.make_node("Concat", ["scores", "scores"], ["more"], axis=1)],
            ),
            "first answer has the form 1x2x32x32",
        ),
        (
            lambda path: save(
                path, extra=[helper.make_node("Evil", ["scores"], ["more"], domain="evil")]
            ),
            "cannot load the network",
        ),
        (lambda path: save(path, shape=(1, 3, 32, 99999)), "wants pictures of 99999x32 pixels"),
        (lambda path: save(path, scale=float("nan")), "not finite"),
        (lambda path: save(path, scale=1e38, sigmoid=False, extra=_squared()), "not finite"),
    ],
)
def test_files_of_no_use(
    tmp_path: Path, write: Callable[[Path], Any], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "net.onnx")
    assert message in unusable(tmp_path / "net.onnx").what
    assert capfd.readouterr() == ("", "")


def _squared() -> list[Any]:
    ones = numpy_helper.from_array(np.array(np.inf, np.float32), "inf")
    return [
        helper.make_node("Constant", [], ["inf"], value=ones),
        helper.make_node("Add", ["scores", "inf"], ["more"]),
    ]


def test_a_network_that_fails_at_a_picture(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What it asks for is known only when it runs."""
    shape = numpy_helper.from_array(np.array([1, 1, 7, 7], np.int64), "shape")
    extra = [
        helper.make_node("Constant", [], ["shape"], value=shape),
        helper.make_node("Reshape", ["scores", "shape"], ["more"]),
    ]
    open_sides = {"shape": (1, 3, "h", "w"), "output": (1, 1, "a", "b")}
    error = unusable(save(tmp_path / "net.onnx", extra=extra, **open_sides))
    assert "the network fails at a picture" in error.what
    assert capfd.readouterr() == ("", "")


def test_more_memory_than_there_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A file of a few hundred bytes may ask for any amount."""
    shape = numpy_helper.from_array(np.array([2**20, 2**20, 64], np.int64), "shape")
    one = numpy_helper.from_array(np.ones(1, np.float32), "one")
    extra = [
        helper.make_node("Constant", [], ["shape"], value=shape),
        helper.make_node("ConstantOfShape", ["shape"], ["huge"], value=one),
        helper.make_node("ReduceMax", ["huge"], ["most"], keepdims=0),
        helper.make_node("Add", ["scores", "most"], ["more"]),
    ]
    error = unusable(save(tmp_path / "net.onnx", extra=extra))
    assert "cannot load" in error.what or "fails at a picture" in error.what
    assert capfd.readouterr() == ("", "")


def test_tensors_in_other_files_are_not_read_from_elsewhere(tmp_path: Path) -> None:
    """ONNX lets a tensor be a part of another file; onnxruntime refuses those of other folders."""
    (tmp_path / "secret").write_bytes(bytes(12))
    (tmp_path / "net").mkdir()
    path = save(tmp_path / "net" / "net.onnx")
    model = onnx.load(path)
    (weights,) = [t for t in model.graph.initializer if t.name == "weights"]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=os.path.join("..", "secret"))
    path.write_bytes(model.SerializeToString())
    assert "cannot load the network" in unusable(path).what


@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
def test_damaged_files(at: float, byte: int, onnx_file: Path, tmp_path: Path) -> None:
    """They are refused, or still compute a mask."""
    whole = bytearray(onnx_file.read_bytes())
    whole[int(at * len(whole))] = byte
    path = tmp_path / "damaged.onnx"
    path.write_bytes(whole)
    try:
        mask = compute(path)
    except WeightsError:
        unusable(path)
    else:
        assert np.isfinite(mask).all()
        assert mask.ndim == 2
