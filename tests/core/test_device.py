"""Where a run is computed, how precisely, and in what portions."""

from __future__ import annotations

import pytest
import torch

from instyle_core.device import (
    choose_device,
    choose_precision,
    choose_tile,
    describe_machine,
    is_out_of_memory,
)
from instyle_core.errors import InputError

CPU, GPU = torch.device("cpu"), torch.device("cuda")
KINDS = [torch.float32, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("device", [CPU, GPU])
def test_a_precision_that_is_named_is_taken(kind: torch.dtype, device: torch.device) -> None:
    assert choose_precision(str(kind).removeprefix("torch."), device) == kind


@pytest.mark.parametrize("supported", [True, False])
def test_automatic_precision(supported: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = torch.bfloat16 if supported else torch.float32
    # raising=False: the name is private to torch, and may go.
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: supported, raising=False)
    assert choose_precision("auto", CPU) == expected
    # A GPU that emulates it has to be asked about: it is slow at it.
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation=True: supported or including_emulation,
    )
    assert choose_precision("auto", GPU) == expected


def test_automatic_precision_of_what_torch_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    assert choose_precision("auto", CPU) == torch.float32
    assert choose_precision("auto", torch.device("mps")) == torch.float32


@pytest.mark.parametrize("device", [CPU, GPU])
@pytest.mark.parametrize("wanted", [0, 128, 4096])
def test_a_tile_that_is_named_is_taken(wanted: int, device: torch.device) -> None:
    assert choose_tile(wanted, device, torch.float32) == wanted


def test_automatic_tiles() -> None:
    assert [choose_tile("auto", GPU, kind) for kind in KINDS] == [0, 0, 0]
    full, *half = (choose_tile("auto", CPU, kind) for kind in KINDS)
    assert half[0] == half[1]
    # About as many bytes, for numbers of half the size.
    assert 2 * full**2 == pytest.approx(half[0] ** 2, rel=0.1)


def test_without_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == CPU
    for name in ("cuda", "cuda:1", "mps", "xpu"):
        with pytest.raises(InputError, match=f"no device '{name}' here") as caught:
            choose_device(name)
        assert "cpu alone" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("kind", "count", "there", "missing"),
    [
        ("cuda", 2, ["cpu", "cuda", "cuda:0", "cuda:1"], ["cuda:2", "xpu", "mps"]),
        ("xpu", 1, ["cpu", "xpu", "xpu:0"], ["xpu:1", "cuda"]),
        ("mps", 1, ["cpu", "mps"], ["cuda", "xpu"]),
    ],
)
def test_the_accelerator_that_torch_finds(
    kind: str, count: int, there: list[str], missing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = torch.device(kind)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: found)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: count)
    assert choose_device("auto") == found
    assert [choose_device(name) for name in there] == [torch.device(name) for name in there]
    for name in missing:
        with pytest.raises(InputError, match=f"no device '{name}' here") as caught:
            choose_device(name)
        assert f"cpu and {kind}" in str(caught.value.hint)


def test_memory_that_has_run_out() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("full"))
    for said in (
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "MPS backend out of memory (MPS allocated: 8.00 GB, max allowed: 9.00 GB)",
    ):
        assert is_out_of_memory(RuntimeError(said))
    with pytest.raises(RuntimeError) as caught:
        torch.ones(2) @ torch.ones(3)
    assert not is_out_of_memory(caught.value)


def test_what_is_said_about_the_machine() -> None:
    facts = describe_machine(CPU, torch.bfloat16)
    assert (facts["device"], facts["precision"]) == ("cpu", "bfloat16")
    assert facts["threads"] == torch.get_num_threads()
