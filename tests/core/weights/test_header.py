"""Whether a file can be one of weights, by its header."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from instyle_core.errors import InputError
from instyle_core.weights.header import check_header
from instyle_core.weights.state_dict import read_state_dict

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(5, dtype=torch.int64)}


@pytest.mark.parametrize("name", ["a.safetensors", "a.bin"])
def test_safetensors_by_suffix_or_content(tmp_path: Path, name: str) -> None:
    save_file(TENSORS, tmp_path / name, {"written": "by a test"})
    check_header(tmp_path / name)


@pytest.mark.parametrize("zipped", [True, False])
def test_both_forms_of_torch(tmp_path: Path, zipped: bool) -> None:
    torch.save(TENSORS, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    check_header(tmp_path / "a.pth")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        check_header(tmp_path / "a.pth")


@given(st.integers(0, len(save(TENSORS)) - 1), st.integers(0, 255))
def test_a_file_that_can_be_read_is_never_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    data = bytearray(save(TENSORS))
    data[place] = byte
    path.write_bytes(data)
    try:
        read_state_dict(path)
    except Exception:
        return  # the header may be fine all the same
    check_header(path)


@given(st.binary(max_size=80))
def test_other_bytes_are_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pth"
    path.write_bytes(data)
    with pytest.raises(InputError, match="the file is damaged, or no file of weights"):
        check_header(path)
