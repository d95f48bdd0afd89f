"""What an encoder starts from: files of many kinds, ImageNet weights of the hub, and bad ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
import torchvision
from safetensors.torch import save, save_file
from torch import Tensor, nn

from instyle_core import InputError, WeightsError
from instyle_training import encoders
from instyle_training.encoders import IMAGENET_MEAN, IMAGENET_STD
from tests.core.helpers.hub import Hub
from tests.core.helpers.weights_server import arrived

TINY = "tu-test_efficientnet"
State = dict[str, Tensor]


def encoder(name: str = TINY, seed: int = 0) -> nn.Module:
    """An encoder with weights and statistics of its own."""
    torch.manual_seed(seed)
    network = smp.encoders.get_encoder(name, weights=None)
    for key, value in network.state_dict().items():
        if "running" in key:
            value.uniform_(0.5, 1.5)
    return network


def renamed(state: State) -> State:
    """The same tensors by other names, of which only the last part is the same."""
    return {f"x{n}.{name.rpartition('.')[2]}": t for n, (name, t) in enumerate(state.items())}


def assert_loaded(network: nn.Module, state: State) -> None:
    assert network.state_dict().keys() == state.keys()
    for name, value in network.state_dict().items():
        assert torch.equal(value, state[name]), name


def refused(path: Path, network: nn.Module | None = None) -> WeightsError:
    """The error of a file that must not be taken: it names it; the encoder stays as it was."""
    network = network or encoder(seed=1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        encoders.load_file_into(network, path)
    assert_loaded(network, before)
    assert caught.value.where == str(path)
    assert caught.value.hint
    assert caught.value.exit_status == 3
    return caught.value


@pytest.fixture
def state() -> State:
    return dict(encoder().state_dict())


@pytest.fixture(params=["safetensors", "pth"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[State], Path]:
    """Write weights in either format."""

    def write(state: State) -> Path:
        path = tmp_path / f"weights.{request.param}"
        if path.suffix == ".pth":
            torch.save(state, path)
        else:
            save_file({name: value.contiguous() for name, value in state.items()}, path)
        return path

    return write


# --- files that fit -------------------------------------------------------------------------------


def test_by_name(written: Callable[[State], Path], state: State) -> None:
    network = encoder(seed=1)
    encoders.load_file_into(network, written(dict(reversed(state.items()))))
    assert_loaded(network, state)


def test_by_name_with_a_classifier(written: Callable[[State], Path], state: State) -> None:
    head = {"classifier.weight": torch.ones(10, 64), "classifier.bias": torch.ones(10)}
    network = encoder(seed=1)
    encoders.load_file_into(network, written(head | state))
    assert_loaded(network, state)


def test_by_order_with_a_classifier(tmp_path: Path, state: State) -> None:
    head = {"head.weight": torch.ones(10, 64), "head.bias": torch.ones(10)}
    torch.save(renamed(state) | head, tmp_path / "weights.pth")
    network = encoder(seed=1)
    encoders.load_file_into(network, tmp_path / "weights.pth")
    assert_loaded(network, state)


def test_a_classifier_of_torchvision(tmp_path: Path) -> None:
    """The names of ResNet are the same in torchvision and in smp; ``fc`` is left out."""
    torch.manual_seed(3)
    classifier = torchvision.models.resnet18(weights=None).state_dict()
    torch.save(classifier, tmp_path / "resnet18.pth")
    network = smp.encoders.get_encoder("resnet18", weights=None)
    encoders.load_file_into(network, tmp_path / "resnet18.pth")
    assert_loaded(network, {name: t for name, t in classifier.items() if not name.startswith("fc")})


def test_a_classifier_of_timm(tmp_path: Path) -> None:
    torch.manual_seed(3)
    classifier = timm.create_model("test_efficientnet").state_dict()
    save_file(classifier, tmp_path / "timm.safetensors")
    network = encoder()
    # timm's names lack smp's prefix, and safetensors does not keep their order.
    assert "neither by name nor by order" in refused(tmp_path / "timm.safetensors", network).what
    torch.save(classifier, tmp_path / "timm.pth")
    encoders.load_file_into(network, tmp_path / "timm.pth")
    for name, value in network.state_dict().items():
        assert torch.equal(value, classifier[name.removeprefix("model.")]), name


def test_a_segmenters(written: Callable[[State], Path], state: State) -> None:
    """A network's encoder, whose tensors begin with ``encoder.``, in any order and in float16."""
    network = {f"encoder.{name}": value for name, value in reversed(state.items())}
    other = {"bn1.weight": torch.ones(16), "score.weight": torch.ones(3, 64, 1, 1)}
    halves = {name: t.half() if t.is_floating_point() else t for name, t in network.items()}
    for given, expected in (
        (network, state),
        (halves, {name: halves[f"encoder.{name}"].to(t.dtype) for name, t in state.items()}),
    ):
        loaded = encoder(seed=1)
        encoders.load_file_into(loaded, written(other | given))
        assert_loaded(loaded, expected)


def test_a_segmenters_with_another_encoder(written: Callable[[State], Path]) -> None:
    other = encoder("tu-test_resnet").state_dict()
    refused(written({f"encoder.{name}": value for name, value in other.items()}))


def test_a_segmenters_without_a_tensor(written: Callable[[State], Path], state: State) -> None:
    del state["model.bn1.bias"]
    refused(written({f"encoder.{name}": value for name, value in state.items()}))


# --- files that do not ----------------------------------------------------------------------------


def test_another_encoders(written: Callable[[State], Path]) -> None:
    path = written(dict(encoder("tu-test_resnet").state_dict()))
    error = refused(path)
    assert "not the weights of this encoder" in error.what
    assert "--encoder" in str(error.hint)


def test_order_is_not_trusted_where_shapes_agree_by_chance(tmp_path: Path, state: State) -> None:
    """Weight and bias of a normalization have the same shape; changed places show in the names."""
    items = list(renamed(state).items())
    place = next(n for n, (name, _) in enumerate(items) if name.endswith(".bias"))
    items[place - 1], items[place] = items[place], items[place - 1]
    torch.save(dict(items), tmp_path / "swapped.pth")
    refused(tmp_path / "swapped.pth")


def test_a_tensor_is_missing(written: Callable[[State], Path], state: State) -> None:
    del state["model.bn1.bias"]
    refused(written(state))


def test_a_tensor_of_another_shape(written: Callable[[State], Path], state: State) -> None:
    state["model.bn1.bias"] = torch.ones(3)
    refused(written(state))


@pytest.mark.parametrize("left", [0, 1, 10, 100, 0.5, -1], ids=str)
def test_truncated(written: Callable[[State], Path], state: State, left: float) -> None:
    path = written(state)
    data = path.read_bytes()
    path.write_bytes(data[: int(left * len(data)) if left == 0.5 else int(left)])
    assert "damaged" in refused(path).what


@pytest.mark.parametrize("data", [b"\0" * 64, b"<html>not found</html>", b"\x80\x02." * 9, b"}q\0"])
@pytest.mark.parametrize("suffix", ["pth", "safetensors", "bin"])
def test_something_else(tmp_path: Path, data: bytes, suffix: str) -> None:
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(data)
    refused(path)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_no_file(tmp_path: Path, suffix: str) -> None:
    refused(tmp_path / f"nowhere.{suffix}")
    (tmp_path / f"folder.{suffix}").mkdir()
    refused(tmp_path / f"folder.{suffix}")


class Evil:
    """Unpickling it makes a file."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, int]]:
        return os.open, (str(self._trace), os.O_CREAT)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("suffix", ["pth", "bin", "ckpt", ""])
def test_a_file_that_would_run_code(tmp_path: Path, suffix: str, zipped: bool) -> None:
    trace = tmp_path / "was here"
    path = (tmp_path / "weights").with_suffix(f".{suffix}" if suffix else "")
    torch.save({"a": Evil(trace)}, path, _use_new_zipfile_serialization=zipped)
    assert "can run any code" in refused(path).what
    assert not trace.exists()
    os.close(torch.load(path, weights_only=False)["a"])
    assert trace.exists()  # the file is as evil as the test says


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet34", "mobilenet_v2", TINY, "tu-tf_efficientnet_lite0"])
def test_known(name: str) -> None:
    encoders.check(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resnet43", "did you mean .*resnet34"),
        ("mobilenetv2", "did you mean .*mobilenet_v2"),
        ("tu-efficientnet_lite", "did you mean .*tu-efficientnet_lite[0-9]"),
        ("qqq", "tu-convnext_tiny"),
        ("tu-hf-hub:user/model", "such as"),
        ("", "such as"),
    ],
)
def test_unknown(name: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"no encoder '{name}'") as caught:
        encoders.check(name)
    assert caught.value.where == "--encoder"
    assert caught.match(hint)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet34", (IMAGENET_MEAN, IMAGENET_STD)),
        ("tu-tf_efficientnet_lite0", ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))),
        ("tu-convnext_tiny", (IMAGENET_MEAN, IMAGENET_STD)),
    ],
)
def test_normalization(name: str, expected: tuple[object, object]) -> None:
    assert tuple(map(tuple, encoders.normalization(name))) == expected


# --- ImageNet weights of the hub ------------------------------------------------------------------


def published(name: str) -> tuple[str, str]:
    """Where the ImageNet weights of an encoder are, and of which revision."""
    if name == TINY:
        return "timm/test_efficientnet.r160_in1k", "main"
    settings = smp.encoders.encoders[name]["pretrained_settings"]["imagenet"]
    return settings["repo_id"], settings["revision"]


def files(folder: Path) -> list[str]:
    return [path.name for path in arrived(folder)]


def test_imagenet_weights_of_smp(hub: Hub, cache: Path) -> None:
    source = encoder("mobilenet_v2")
    where, revision = published("mobilenet_v2")
    hub.add(where, save(dict(source.state_dict())), revision)
    for seed in (1, 2):
        network = encoder("mobilenet_v2", seed=seed)
        encoders.load_imagenet_into(network, "mobilenet_v2")
        assert_loaded(network, dict(source.state_dict()))
    assert len(hub.asked) == 2  # the second time, it is in the cache
    assert files(cache) == ["model.safetensors"]


def test_imagenet_weights_of_timm(hub: Hub) -> None:
    torch.manual_seed(3)
    classifier = timm.create_model("test_efficientnet").state_dict()
    hub.add(published(TINY)[0], save(classifier))
    network = encoder()
    encoders.load_imagenet_into(network, TINY)
    for name, value in network.state_dict().items():
        assert torch.equal(value, classifier[name.removeprefix("model.")]), name


@pytest.mark.parametrize("answer", ["lie", "break", "404", "500", "gone", "offline", "nothing"])
@pytest.mark.parametrize("name", ["mobilenet_v2", TINY])
def test_imagenet_weights_that_cannot_be_had(
    hub: Hub, cache: Path, name: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, revision = published(name)
    if answer != "nothing":
        hub.add(where, b"weights" * 1000, revision)
    hub.answer = answer
    if answer == "gone":
        hub.close()
    if answer == "offline":
        monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    network = encoder(name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        encoders.load_imagenet_into(network, name)
    assert caught.value.exit_status == 3
    assert str(cache) in str(caught.value.hint)  # where to save it by other means
    assert files(cache) == []
    assert_loaded(network, before)


@pytest.mark.parametrize("name", ["mobilenet_v2", TINY])
@pytest.mark.parametrize("body", ["another", "none"])
def test_imagenet_weights_of_another_network(hub: Hub, name: str, body: str) -> None:
    """The hub's own hash is right, but the tensors are not."""
    other = save(dict(encoder("tu-test_resnet").state_dict())) if body == "another" else b"text"
    where, revision = published(name)
    hub.add(where, other, revision)
    network = encoder(name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        encoders.load_imagenet_into(network, name)
    assert str(caught.value.where).endswith("model.safetensors")
    assert_loaded(network, before)


@pytest.mark.parametrize("name", ["tu-darknet17", "resnext101_32x4d"])
def test_no_imagenet_weights_are_published(hub: Hub, name: str) -> None:
    with pytest.raises(InputError, match=f"no ImageNet weights are published for .* {name}"):
        encoders.load_imagenet_into(nn.Module(), name)
    assert hub.asked == []
