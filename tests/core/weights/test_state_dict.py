"""Files of weights: what is read, and what is refused without being run."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
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
