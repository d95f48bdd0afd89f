"""Files of weights: what is read, and what is refused without being run."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from instyle_core import WeightsError, read_state_dict

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def same(state: dict[str, torch.Tensor]) -> bool:
    return state.keys() == STATE.keys() and all(torch.equal(state[k], STATE[k]) for k in STATE)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("net.safetensors", lambda path: save_file(STATE, path)),
        ("net.bin", lambda path: save_file(STATE, path)),  # told by its header
        ("net.pth", lambda path: torch.save(STATE, path)),
        ("net.pt", lambda path: torch.save(STATE, path, _use_new_zipfile_serialization=False)),
        ("net.ckpt", lambda path: torch.save({"state_dict": STATE, "epoch": 3}, path)),
        ("net.tar", lambda path: torch.save({"model": STATE, "optimizer": {"lr": 0.1}}, path)),
        ("net.pth", lambda path: torch.save({"model_state_dict": STATE}, path)),
    ],
)
def test_what_is_read(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    write(tmp_path / name)
    assert same(read_state_dict(tmp_path / name))


def refused(path: Path) -> WeightsError:
    with pytest.raises(WeightsError) as caught:
        read_state_dict(path)
    assert caught.value.where == str(path)
    assert caught.value.hint
    assert caught.value.exit_status == 3
    assert len(caught.value.what.splitlines()) == 1
    return caught.value


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
def test_no_pickle_is_ever_run(tmp_path: Path, name: str, old: bool) -> None:
    trap = Trap(tmp_path / "sprung")
    torch.save({"a": trap}, tmp_path / name, _use_new_zipfile_serialization=not old)
    error = refused(tmp_path / name)
    assert ("unpickle" in error.what) == (name == "net.pth")
    assert "weights_only=False" not in str(error)
    assert not (tmp_path / "sprung").exists()
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(trap))
    assert "unpickle" in refused(tmp_path / "bare.pth").what
    assert not (tmp_path / "sprung").exists()


def test_whole_models_are_no_weights(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "net.pth")
    error = refused(tmp_path / "net.pth")
    assert "unpickle" in error.what
    assert "state_dict" in str(error.hint)


@pytest.mark.parametrize("name", ["net.pth", "old.pth", "net.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.999])
def test_truncated(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    state = {"a": torch.randn(100, 100)}
    if name == "net.safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=name == "net.pth")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert "damaged" in refused(path).what


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
@pytest.mark.parametrize("text", [b"hello", b"<html>404</html>", b"{not safetensors}" * 10])
def test_other_files(tmp_path: Path, name: str, text: bytes) -> None:
    (tmp_path / name).write_bytes(text)
    assert "damaged" in refused(tmp_path / name).what


@pytest.mark.parametrize("data", [[torch.ones(2)], {}, {"a": 3}, {1: torch.ones(2)}, 7, "text"])
def test_no_state_dict(tmp_path: Path, data: Any) -> None:
    torch.save(data, tmp_path / "net.pth")
    assert "holds no" in refused(tmp_path / "net.pth").what


@pytest.mark.parametrize("name", ["absent.pth", "absent.safetensors", "."])
def test_no_file(tmp_path: Path, name: str) -> None:
    refused(tmp_path / name)


# --- files that are made to do harm, or have come to harm -----------------------------------------


def rezip(path: Path, compression: int, change: Callable[[str, bytes], bytes]) -> None:
    """Write an archive of torch's again."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, change(name, data))


def test_what_is_compressed_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"a": torch.zeros(2**20)}, path)
    rezip(path, zipfile.ZIP_DEFLATED, lambda _, data: data)
    assert path.stat().st_size < 2**15
    assert "compressed" in refused(path).what


def test_a_damaged_archive_that_torch_would_load(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"a": torch.ones(1000)}, path)
    whole = path.read_bytes()
    start = whole.index(torch.ones(1000).numpy().tobytes())
    path.write_bytes(whole[:start] + bytes(64) + whole[start + 64 :])
    assert torch.load(path)["a"].sum() < 1000
    assert "damaged: net/data/0 has another checksum" in refused(path).what


def test_a_storage_that_is_said_to_be_larger(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"a": torch.ones(4)}, path)

    def lie(name: str, data: bytes) -> bytes:
        many = b"J" + struct.pack("<i", 2**30)
        return data.replace(b"K\x04t", many + b"t").replace(b"K\x04\x85", many + b"\x85")

    rezip(path, zipfile.ZIP_STORED, lie)
    refused(path)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(1).expand(2**40),
        torch.sparse_coo_tensor(size=(2**40,), check_invariants=True),
        torch.ones(1)[[]],
    ],
)
def test_a_tensor_that_is_larger_than_its_file(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"a.weight": tensor}, tmp_path / "net.pth")
    if tensor.numel():
        assert "'a.weight' would be larger" in refused(tmp_path / "net.pth").what
    else:
        assert read_state_dict(tmp_path / "net.pth")["a.weight"].numel() == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float8_e5m2])
@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
def test_values_that_are_not_finite(
    tmp_path: Path, value: float, dtype: torch.dtype, name: str
) -> None:
    wrong = torch.ones(3000)
    wrong[2999] = value
    state = {"fine": torch.ones(3), "b.weight": wrong.to(dtype)}
    (torch.save if name == "net.pth" else save_file)(state, tmp_path / name)  # type: ignore[operator]
    assert "the tensor 'b.weight' has values that are not finite" in refused(tmp_path / name).what


def test_large_halves_are_finite(tmp_path: Path) -> None:
    """Their sum is not."""
    state = {"a": torch.full((1000,), 60000.0, dtype=torch.float16), "n": torch.tensor(3)}
    save_file(state, tmp_path / "net.safetensors")
    assert torch.equal(read_state_dict(tmp_path / "net.safetensors")["a"], state["a"])


def entry(shape: list[int], offsets: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    "header",
    [
        {"a": entry([4], [0, 2**63])},
        {"a": entry([2**62], [0, 16])},
        {"a": entry([2**63, 2], [0, 16])},
        {"a": entry([2**32, 2**32], [0, 0])},
        {"a": entry([4], [16, 0])},
        {"a": entry([4], [-16, 0])},
        {"a": entry([2], [0, 8]), "b": entry([3], [4, 16])},
        {"a": entry([1], [0, 4]), "b": entry([1], [12, 16])},
        {"a": entry([4], [0, 16], "F99")},
        {"a": [0] * 10},
        [],
    ],
)
def test_a_header_that_lies(tmp_path: Path, header: Any) -> None:
    text = json.dumps(header).encode()
    path = tmp_path / "net.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(16))
    assert "damaged" in refused(path).what


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**40, 10**8 + 1, 0])
def test_a_header_whose_length_lies(tmp_path: Path, length: int) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b'{"a":{"dtype":"F32"}}' + bytes(16))
    assert "damaged" in refused(path).what


@given(data=st.data())
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@pytest.mark.parametrize("name", ["net.safetensors", "net.pth", "old.pth"])
def test_whatever_is_in_a_file(tmp_path: Path, name: str, data: st.DataObject) -> None:
    """It is read, or refused for people; nothing else is raised."""
    path = tmp_path / name
    if name == "net.safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=name == "net.pth")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        new = data.draw(st.binary(min_size=1, max_size=9))
        content[at : at + len(new)] = new
    path.write_bytes(content)
    with contextlib.suppress(WeightsError):
        assert read_state_dict(path)
