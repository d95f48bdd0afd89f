"""Trained networks as files."""

from __future__ import annotations

import copy
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from instyle_core import WeightsError
from instyle_fcn8s import checkpoint
from instyle_fcn8s.description import read_metadata
from instyle_fcn8s.network import FCN

CLASSES = ("background", "cat", "dog")
METADATA = {"classes": json.dumps(CLASSES), "encoder": "mobilenet_v2", "variant": "16s"}


@pytest.fixture(scope="module")
def network() -> FCN:
    torch.manual_seed(0)
    return FCN(CLASSES, encoder="mobilenet_v2", variant="16s", std=(0.5, 0.5, 0.5)).eval()


@pytest.fixture
def file(tmp_path: Path, network: FCN) -> Path:
    path = tmp_path / "network.safetensors"
    checkpoint.save(path, network)
    return path


# --- round trips ----------------------------------------------------------------------------------


def test_round_trip(file: Path, network: FCN) -> None:
    """Everything comes back, its numbers as float16 has them."""
    loaded = checkpoint.load(file)
    assert (loaded.classes, loaded.encoder_name, loaded.variant) == (
        CLASSES,
        "mobilenet_v2",
        "16s",
    )
    assert not loaded.training
    state = loaded.state_dict()
    assert state.keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert state[name].dtype == value.dtype
        expected = value.numpy()
        if value.is_floating_point():
            expected = expected.astype(np.float16).astype(np.float32)
        assert np.array_equal(state[name].numpy(), expected), name
    images = torch.rand(2, 3, 50, 70)
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), network(images), atol=0.02, rtol=0)


def test_files_are_of_half_size(file: Path, network: FCN) -> None:
    count = sum(weight.numel() for weight in network.parameters())
    assert 2 * count < file.stat().st_size < 2.2 * count


@pytest.mark.parametrize("value", [-65504.0, 1e5])
def test_values_beyond_float16(tmp_path: Path, network: FCN, value: float) -> None:
    network = copy.deepcopy(network)
    with torch.no_grad():
        network.score["32"].bias[1] = value
    path = tmp_path / "large.safetensors"
    checkpoint.save(path, network)
    stored = load_file(path)
    fits = abs(value) <= 65504
    assert stored["score.32.bias"].dtype == (torch.float16 if fits else torch.float32)
    assert stored["score.32.weight"].dtype == torch.float16
    bias = checkpoint.load(path).score["32"].bias
    assert bias[1].item() == np.float32(value)
    assert fits or torch.equal(bias, network.score["32"].bias)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(
    tmp_path: Path, network: FCN, value: float
) -> None:
    network = copy.deepcopy(network)
    with torch.no_grad():
        network.score["32"].bias[1] = value
    checkpoint.save(tmp_path / "wrong.safetensors", network)
    with pytest.raises(WeightsError, match=r"'score\.32\.bias' has values that are not finite"):
        checkpoint.load(tmp_path / "wrong.safetensors")


def test_it_tells_how_it_came_to_be(tmp_path: Path, network: FCN) -> None:
    path = tmp_path / "a" / "new" / "folder" / "network.safetensors"
    training = {"recipe": {"epochs": 3}, "val": {"mean_iou": 0.5}, "photo": "Häschen"}
    checkpoint.save(path, network, training)
    metadata = read_metadata(path)
    assert metadata.training == training
    assert (metadata.classes, metadata.encoder) == ([*CLASSES], "mobilenet_v2")
    assert metadata.variant == "16s"


def test_a_file_that_does_not_tell(file: Path) -> None:
    assert read_metadata(file).training == {}
    save_file(load_file(file), file, METADATA)
    assert read_metadata(file).training == {}


# --- writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002], ids=oct)
def test_mode_follows_umask(tmp_path: Path, network: FCN, umask: int) -> None:
    before = os.umask(umask)
    try:
        checkpoint.save(tmp_path / "network.safetensors", network)
    finally:
        os.umask(before)
    mode = (tmp_path / "network.safetensors").stat().st_mode
    assert stat.S_IMODE(mode) == 0o666 & ~umask


def test_a_failure_leaves_the_file_before(
    file: Path, network: FCN, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()
    write = Path.write_bytes

    def disk_is_full(path: Path, data: bytes) -> int:
        write(path, data[:1000])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", disk_is_full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(file, network)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_an_earlier_file_is_replaced(file: Path) -> None:
    torch.manual_seed(1)
    other = FCN(("background", "sheep"), encoder="tu-test_efficientnet")
    checkpoint.save(file, other)
    assert checkpoint.load(file).classes == ("background", "sheep")
    assert [path.name for path in file.parent.iterdir()] == [file.name]


# --- files that cannot be used --------------------------------------------------------------------


def refused(file: Path) -> str:
    """The sentence with which a file is refused; it names the file and what to do."""
    with pytest.raises(WeightsError) as error:
        checkpoint.load(file)
    assert error.value.where == str(file)
    assert error.value.hint
    return error.value.what


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"\x00" * 100,
        lambda data: b"<html>not found</html>" * 10,
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data[:100],
        lambda data: data + b"\0" * 8,
    ],
    ids=["empty", "zeros", "html", "half", "one byte short", "header only", "too long"],
)
def test_damaged(file: Path, damage: Callable[[bytes], bytes]) -> None:
    file.write_bytes(damage(file.read_bytes()))
    assert "no safetensors file, or it is damaged" in refused(file)


def test_missing(tmp_path: Path) -> None:
    assert "no safetensors file" in refused(tmp_path / "nowhere.safetensors")


def test_a_folder(tmp_path: Path) -> None:
    assert "no safetensors file" in refused(tmp_path)


def test_no_metadata_at_all(file: Path) -> None:
    save_file(load_file(file), file)
    assert "classes: Field required" in refused(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("classes", None),
        ("encoder", None),
        ("variant", None),
        ("classes", "background, cat"),
        ("classes", '{"background": 0}'),
        ("classes", "[1, 2, 3]"),
        ("classes", '["background"]'),
        ("variant", "4s"),
        ("training", "epochs: 3"),
        ("training", "[1]"),
    ],
)
def test_bad_metadata(file: Path, key: str, value: str | None) -> None:
    metadata = {name: text for name, text in METADATA.items() if name != key}
    save_file(load_file(file), file, metadata | ({key: value} if value else {}))
    message = refused(file)
    assert "does not describe a network" in message
    assert key in message


@pytest.mark.parametrize("encoder", ["resnet35", "tu-nothing", "tu-hf-hub:user/model", ""])
def test_unknown_encoder(file: Path, encoder: str) -> None:
    save_file(load_file(file), file, METADATA | {"encoder": encoder})
    assert f"encoder {encoder!r} is unknown" in refused(file)


def test_other_encoder_than_the_tensors_are_of(file: Path) -> None:
    save_file(load_file(file), file, METADATA | {"encoder": "resnet18"})
    assert "the tensor 'encoder.conv1.weight' is absent in the file" in refused(file)


def test_other_number_of_classes(file: Path) -> None:
    save_file(load_file(file), file, METADATA | {"classes": '["background", "cat"]'})
    assert (
        "the tensor 'score.32.weight' is [3, 1280, 1, 1] in the file and [2, 1280, 1, 1] in "
        "FCN-16s on mobilenet_v2 with 2 classes" in refused(file)
    )


def test_other_variant(file: Path) -> None:
    save_file(load_file(file), file, METADATA | {"variant": "8s"})
    assert "the tensor 'score.8.weight' is absent in the file" in refused(file)


def test_a_tensor_too_many(file: Path) -> None:
    save_file(load_file(file) | {"optimizer.step": torch.ones(1)}, file, METADATA)
    assert "the tensor 'optimizer.step' is [1] in the file and absent in FCN-16s" in refused(file)
