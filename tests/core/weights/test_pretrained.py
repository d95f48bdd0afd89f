"""Networks of transformers, out of folders that `save_pretrained` wrote and of damaged ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.utils import logging

from instyle_core import WeightsError, load_pretrained

STATE = "model.safetensors"
FIRST = "classifier.bias"


def classes(config: Any) -> tuple[Any, Any]:
    if config.model_type != "vit":
        raise WeightsError(f"this is {config.model_type}")
    return transformers.ViTForImageClassification, transformers.ViTImageProcessor


def network_of_chance() -> Any:
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=8,
    )
    torch.manual_seed(0)
    return transformers.ViTForImageClassification(config).half()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network_of_chance().save_pretrained(tmp_path)
    transformers.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(tmp_path)
    return tmp_path


def test_it_is_frozen_and_in_float32(folder: Path) -> None:
    random, quiet = torch.get_rng_state(), logging.get_verbosity()
    network, processor = load_pretrained(folder, classes)
    assert torch.equal(torch.get_rng_state(), random)
    assert logging.get_verbosity() == quiet
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    state = network.state_dict()
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    for name, tensor in network_of_chance().state_dict().items():
        assert torch.equal(state[name], tensor.float())
    assert processor.size == {"height": 16, "width": 16}


def test_another_kind_of_network(folder: Path) -> None:
    description = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**description, "model_type": "bert"}))
    with pytest.raises(WeightsError, match=r"^this is bert$"):
        load_pretrained(folder, classes)


def without_a_tensor(tensors: dict[str, torch.Tensor]) -> None:
    del tensors[FIRST]


def of_another_shape(tensors: dict[str, torch.Tensor]) -> None:
    tensors[FIRST] = torch.zeros(7)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (without_a_tensor, f"the tensor '{FIRST}' is absent"),
        (of_another_shape, rf"the tensor '{FIRST}' is \[7\] in the file and \[2\] in the network"),
    ],
)
def test_weights_of_another_network(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], None], what: str
) -> None:
    tensors = load_file(folder / STATE)
    change(tensors)
    save_file(tensors, folder / STATE, {"format": "pt"})
    with pytest.raises(WeightsError, match=what):
        load_pretrained(folder, classes)


def test_what_is_never_used_may_be_absent(folder: Path) -> None:
    tensors = load_file(folder / STATE)
    del tensors[FIRST]
    save_file(tensors, folder / STATE, {"format": "pt"})
    load_pretrained(folder, classes, unused="classifier.b")
    with pytest.raises(WeightsError, match=FIRST):
        load_pretrained(folder, classes, unused="classifier.w")


def test_nothing_is_unpickled(folder: Path) -> None:
    torch.save(load_file(folder / STATE), folder / "pytorch_model.bin")
    (folder / STATE).unlink()
    with pytest.raises(WeightsError, match="cannot load the network"):
        load_pretrained(folder, classes)


@pytest.mark.parametrize("name", ["config.json", STATE])
def test_damaged_files(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(WeightsError) as caught:
        load_pretrained(folder, classes)
    assert str(folder) in str(caught.value.where)
