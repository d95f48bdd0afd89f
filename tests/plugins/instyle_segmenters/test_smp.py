"""The networks of segmentation-models-pytorch, against the networks themselves called by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from instyle_core import InputError, Prompt, WeightsError, fetch_from_hub, testing
from instyle_core.config.spec import Select
from instyle_core.objects.select import select_object
from instyle_segmenters import smp_model
from instyle_segmenters.params import SmpParams
from instyle_segmenters.smp_model import Smp
from tests.core.helpers.hub import Hub, hub_of_this_machine

NAMES = ["background", "cat", "dog"]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network(
    architecture: str = "unet", encoder: str = "mobilenet_v2", classes: int = 3, **options: Any
) -> nn.Module:
    """A network with weights of chance, that tells its classes apart."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = smp.create_model(architecture, encoder, None, 3, classes, **options)
        with torch.no_grad():
            for name, tensor in made.state_dict().items():
                if name.startswith("segmentation_head") and tensor.ndim == 4:
                    tensor.mul_(5)
    return made.eval()


def segmenter(**params: Any) -> Smp:
    return Smp(SmpParams.model_validate(params))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A U-Net on MobileNetV2 with three classes."""
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    save_file(network().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as `model.save_pretrained` writes it, made as people make it."""
    path = tmp_path_factory.mktemp("pretrained") / "net"
    made = network()
    made.config["encoder_weights"] = "imagenet"
    made.save_pretrained(str(path))
    return path


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Whoever asks the real hub has failed."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a download")

    monkeypatch.setattr("segmentation_models_pytorch.encoders.hf_hub_download", never)
    monkeypatch.setattr("segmentation_models_pytorch.base.hub_mixin.hf_hub_download", never)
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")


def by_hand(made: nn.Module, image: Tensor, height: int, width: int) -> Tensor:
    """Scores of a picture that is filled up to (height, width) by its last pixels."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    rows = torch.arange(height).clamp(max=image.shape[1] - 1)
    columns = torch.arange(width).clamp(max=image.shape[2] - 1)
    filled = ((image - mean) / std)[:, rows][:, :, columns]
    with torch.no_grad():
        return made(filled[None])[0, :, : image.shape[1], : image.shape[2]]


# --- what it computes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "filled"),
    [
        ((128, 160), (128, 160)),
        ((130, 150), (160, 160)),
        ((37, 50), (128, 128)),
        ((1, 1), (128, 128)),
    ],
)
def test_the_network_called_by_hand(
    file: Path, size: tuple[int, int], filled: tuple[int, int]
) -> None:
    image = testing.picture(*size)
    ours = segmenter(weights=file, encoder="mobilenet_v2", classes=NAMES)
    seen = testing.check_segmenter(ours, image, Prompt())
    assert seen.classes == tuple(NAMES)
    assert seen.instances is None
    expected = by_hand(network(), image, *filled).softmax(dim=0)
    assert (seen.probabilities - expected).abs().max() < 1e-5
    if min(size) > 100:
        assert len(seen.probabilities.argmax(dim=0).unique()) > 1


def test_a_large_picture_is_seen_small(file: Path) -> None:
    image = testing.picture(150, 300)
    ours = segmenter(weights=file, encoder="mobilenet_v2", classes=NAMES, size=160)
    small = F.interpolate(image[None], (80, 160), mode="bilinear", antialias=True)[0]
    expected = by_hand(network(), small, 128, 160).softmax(dim=0)[None]
    expected = F.interpolate(expected, (150, 300), mode="bilinear")[0]
    seen = testing.check_segmenter(ours, image, Prompt())
    assert (seen.probabilities - expected).abs().max() < 1e-5


def test_a_single_channel_is_a_sigmoid(tmp_path: Path) -> None:
    made = network(classes=1)
    torch.save(made.state_dict(), tmp_path / "one.pth")
    image = testing.picture(128, 128)
    expected = by_hand(made, image, 128, 128).sigmoid()
    for classes, names in (
        (None, ("background", "object")),
        (["cat"], ("background", "cat")),
        (["sky", "rest"], ("sky", "rest")),
    ):
        ours = segmenter(weights=tmp_path / "one.pth", encoder="mobilenet_v2", classes=classes)
        seen = testing.check_segmenter(ours, image, Prompt())
        assert seen.classes == names
        assert (seen.probabilities[1] - expected[0]).abs().max() < 1e-5
    with pytest.raises(InputError, match="1 classes, and 3 are named"):
        segmenter(weights=tmp_path / "one.pth", encoder="mobilenet_v2", classes=NAMES)


def test_a_head_for_the_whole_picture_is_left_out(tmp_path: Path) -> None:
    made = network(aux_params={"classes": 4})
    made.save_pretrained(str(tmp_path / "net"))
    image = testing.picture(128, 128)
    seen = testing.check_segmenter(
        segmenter(pretrained=tmp_path / "net", classes=NAMES), image, Prompt()
    )
    made.classification_head = None
    expected = by_hand(made, image, 128, 128).softmax(dim=0)
    assert (seen.probabilities - expected).abs().max() < 1e-5


def test_an_activation_that_is_built_in_is_not_applied_twice(tmp_path: Path) -> None:
    network(activation="softmax2d").save_pretrained(str(tmp_path / "net"))
    image = testing.picture(128, 128)
    seen = segmenter(pretrained=tmp_path / "net", classes=NAMES).segment(image, Prompt())
    expected = by_hand(network(), image, 128, 128).softmax(dim=0)
    assert (seen.probabilities - expected).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("architecture", "encoder", "options"),
    [
        ("fpn", "tu-tf_mobilenetv3_small_075", {}),
        ("pspnet", "mobilenet_v2", {}),
        ("deeplabv3plus", "mobilenet_v2", {}),
        ("pan", "mobilenet_v2", {}),
        ("segformer", "mit_b0", {}),
        ("unet", "mobilenet_v2", {"encoder_depth": 3, "decoder_channels": [32, 16, 8]}),
        (
            "dpt",
            "tu-vit_tiny_patch16_224",
            {"decoder_intermediate_channels": [8, 8, 16, 16], "decoder_fusion_channels": 16},
        ),
    ],
)
def test_any_architecture_and_encoder(
    tmp_path: Path, architecture: str, encoder: str, options: dict[str, Any]
) -> None:
    made = network(architecture, encoder, **options)
    torch.save(made.state_dict(), tmp_path / "net.pth")
    params = {"weights": tmp_path / "net.pth", "architecture": architecture, "encoder": encoder}
    ours = segmenter(**params, options=options, classes=NAMES)
    seen = testing.check_segmenter(ours, testing.picture(70, 131), Prompt())
    assert float(seen.probabilities.std(dim=(1, 2)).max()) > 0  # it has looked


def test_a_network_for_one_size_alone_gets_that(tmp_path: Path) -> None:
    """The whole picture in the proportions that it has, filled up."""
    options = {"decoder_intermediate_channels": [8, 8, 16, 16], "decoder_fusion_channels": 16}
    made = network("dpt", "tu-vit_tiny_patch16_224", **options)
    save_file(made.state_dict(), tmp_path / "net.safetensors")
    ours = segmenter(
        weights=tmp_path / "net.safetensors",
        architecture="dpt",
        encoder="tu-vit_tiny_patch16_224",
        options=options,
        classes=NAMES,
        mean=MEAN,
        std=STD,
    )
    image = testing.picture(80, 112)
    small = F.interpolate(image[None], (160, 224), mode="bilinear", antialias=True)[0]
    expected = by_hand(made, small, 224, 224).softmax(dim=0)[None]
    expected = F.interpolate(expected, (80, 112), mode="bilinear")[0]
    assert (ours.segment(image, Prompt()).probabilities - expected).abs().max() < 1e-5


def test_selecting(file: Path) -> None:
    """By class, point and box, with a network that knows red and blue."""
    ours = segmenter(weights=file, encoder="mobilenet_v2", classes=NAMES, mean=[0] * 3, std=[1] * 3)

    class Colors(nn.Module):
        encoder = nn.Identity()

        def forward(self, image: Tensor) -> Tensor:
            red, _, blue = image[0]
            return 20 * torch.stack([torch.full_like(red, 0.5), red, blue])[None]

    ours._network = Colors()
    image = torch.zeros(3, 64, 64)
    image[0, 8:24, 8:24] = image[0, 40:52, 8:24] = image[2, 8:24, 40:56] = 1
    seen = testing.check_segmenter(ours, image, Prompt())

    def box(**keys: Any) -> list[int]:
        mask = select_object(seen, Select.model_validate(keys)).decision[0]
        rows, columns = np.flatnonzero(mask.any(dim=1)), np.flatnonzero(mask.any(dim=0))
        return [int(n) for n in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)]

    assert box(**{"class": "cat", "instance": 1}) == [8, 40, 24, 52]
    assert box(**{"class": "dog"}) == [40, 8, 56, 24]
    assert box(point=[10, 45]) == [8, 40, 24, 52]
    assert box(box=[0, 30, 64, 64]) == [8, 40, 24, 52]


# --- preprocessing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoder", "of_timm"),
    [
        ("resnet34", "resnet34.tv_in1k"),
        ("mobilenet_v2", None),
        ("dpn68", "dpn68.mx_in1k"),
        ("inceptionv4", "inception_v4.tf_in1k"),
        ("inceptionresnetv2", "inception_resnet_v2.tf_in1k"),
        ("xception", "legacy_xception.tf_in1k"),
        ("tu-vit_tiny_patch16_224", "vit_tiny_patch16_224"),
        ("tu-convnext_tiny", "convnext_tiny"),
    ],
)
def test_the_encoders_own_preprocessing(encoder: str, of_timm: str | None) -> None:
    """smp downloads a file to tell; timm knows what the same networks were trained with."""
    mean, std = smp_model._preprocessing(encoder)
    about = timm.get_pretrained_cfg(of_timm) if of_timm else None
    assert mean == pytest.approx(about.mean if about else MEAN)
    assert std == pytest.approx(about.std if about else STD)


def test_preprocessing_of_ones_own(file: Path) -> None:
    image = testing.picture(128, 128)
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.6, 0.7]
    ours = segmenter(weights=file, encoder="mobilenet_v2", classes=NAMES, mean=mean, std=std)
    normal = (image - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    with torch.no_grad():
        expected = network()(normal[None])[0].softmax(dim=0)
    assert (ours.segment(image, Prompt()).probabilities - expected).abs().max() < 1e-5


# --- a folder that save_pretrained wrote ----------------------------------------------------------


def test_a_folder_is_read_as_smp_reads_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the download of ImageNet weights, which the folder's description asks for."""
    assert json.loads((folder / "config.json").read_text())["encoder_weights"] == "imagenet"
    ours = segmenter(pretrained=folder, classes=NAMES)
    image = testing.picture(128, 128)
    seen = testing.check_segmenter(ours, image, Prompt())
    assert capsys.readouterr() == ("", "")  # standard output belongs to the command
    theirs = smp.from_pretrained(str(folder), encoder_weights=None)
    expected = by_hand(theirs, image, 128, 128).softmax(dim=0)
    assert (seen.probabilities - expected).abs().max() < 1e-6


def test_a_folder_is_relative_to_the_spec(folder: Path) -> None:
    context: dict[str, Any] = {"folder": folder.parent, "inputs": []}
    params = SmpParams.model_validate({"pretrained": folder.name}, context=context)
    assert params.source == str(folder)
    assert context["inputs"] == [folder / "config.json", folder / "model.safetensors"]
    assert params.model_dump(mode="json", by_alias=True)["pretrained"] == str(folder)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"architecture": "fpn"}, "of the architecture unet, not fpn"),
        ({"encoder": "resnet18"}, "of the encoder mobilenet_v2, not resnet18"),
    ],
)
def test_a_folder_of_another_network(folder: Path, keys: dict[str, str], words: str) -> None:
    with pytest.raises(WeightsError, match=words) as caught:
        segmenter(pretrained=folder, classes=NAMES, **keys)
    assert caught.value.where == str(folder / "config.json")
    segmenter(pretrained=folder, classes=NAMES, architecture="Unet", encoder="mobilenet_v2")


def broken(folder: Path, tmp_path: Path, change: Callable[[Path], None]) -> WeightsError:
    """The error of a folder in which something was changed."""
    copy = tmp_path / "net"
    copy.mkdir()
    for name in ("config.json", "model.safetensors"):
        (copy / name).write_bytes((folder / name).read_bytes())
    change(copy)
    with pytest.raises(WeightsError) as caught:
        segmenter(pretrained=copy, classes=NAMES)
    return caught.value


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"_model_class": "Unet"}'])
def test_a_description_that_is_none(folder: Path, tmp_path: Path, text: str) -> None:
    error = broken(folder, tmp_path, lambda copy: (copy / "config.json").write_text(text))
    assert "does not describe a network" in error.what
    assert error.where == str(tmp_path / "net" / "config.json")


def test_weights_that_are_damaged(folder: Path, tmp_path: Path) -> None:
    def cut(copy: Path) -> None:
        path = copy / "model.safetensors"
        path.write_bytes(path.read_bytes()[:1000])

    error = broken(folder, tmp_path, cut)
    assert "damaged" in error.what
    assert error.where == str(tmp_path / "net" / "model.safetensors")


def test_pictures_with_other_channels(folder: Path, tmp_path: Path) -> None:
    def infrared(copy: Path) -> None:
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, "in_channels": 4}))

    assert "4 channels" in broken(folder, tmp_path, infrared).what


# --- wrong files and names ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        {"encoder": "resnet18"},
        {"encoder": "mobilenet_v2", "architecture": "fpn"},
        {"encoder": "mobilenet_v2", "options": {"decoder_channels": [16, 16, 16, 16, 16]}},
    ],
)
def test_weights_of_another_network(file: Path, keys: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match="of another network than") as caught:
        segmenter(weights=file, classes=NAMES, **keys)
    assert caught.value.where == str(file)
    assert keys["encoder"] in caught.value.what
    assert keys.get("architecture", "unet") in caught.value.what
    assert "in the file" in caught.value.what


def test_weights_of_no_segmentation(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.ones(2)}, tmp_path / "net.safetensors")
    with pytest.raises(WeightsError, match="no segmentation head") as caught:
        segmenter(weights=tmp_path / "net.safetensors")
    assert caught.value.where == str(tmp_path / "net.safetensors")


@pytest.mark.parametrize(
    ("keys", "message", "hint"),
    [
        ({"architecture": "u-net"}, "no architecture 'u-net'", "it has unet"),
        ({"encoder": "mobilenet_v3"}, "no encoder 'mobilenet_v3'", "did you mean mobilenet_v2"),
        ({"encoder": "nothing"}, "no encoder 'nothing'", "tu-NAME"),
        ({"encoder": "tu-nothing"}, "unet on tu-nothing cannot be made", "encoder"),
        ({"options": {"encoder_depth": 9}}, "cannot be made", "options"),
        ({"classes": None}, "3 classes, and their names are not given", "classes: [background"),
        ({"classes": ["cat"]}, "3 classes, and 1 are named", "classes: [background"),
    ],
)
def test_what_cannot_be_made(file: Path, keys: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        segmenter(**{"weights": file, "encoder": "mobilenet_v2", "classes": NAMES, **keys})
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize("encoder", ["tu-hf-hub:timm/resnet18.a1_in1k", "tu-hf_hub:a/b", "../x"])
def test_encoders_on_a_hub_are_refused(folder: Path, tmp_path: Path, encoder: str) -> None:
    """They would be downloaded, whatever the file's description may say."""
    with pytest.raises(ValueError, match="encoder"):
        SmpParams(weights=folder / "config.json", encoder=encoder)

    def rename(copy: Path) -> None:
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, "encoder_name": encoder}))

    with pytest.raises(InputError, match="no encoder"):
        broken(folder, tmp_path, rename)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "needs trained weights: either `weights`"),
        ({"weights": __file__, "pretrained": "a/b"}, "needs trained weights: either"),
        ({"weights": "no-such.pth"}, "no such file"),
        ({"pretrained": "no-such-folder"}, "neither a folder nor the name of a model"),
        ({"pretrained": "./a/b"}, "neither a folder nor the name of a model"),
        ({"pretrained": "a/b/c"}, "neither a folder nor the name of a model"),
        ({"pretrained": "."}, "no such file"),
        ({"pretrained": 3}, "a text"),
        ({"pretrained": "a/b", "std": [0.2, 0.0, 0.2]}, "above 0"),
        ({"pretrained": "a/b", "mean": [0.2]}, "at least 3"),
        ({"pretrained": "a/b", "classes": ["a", "b", "a"]}, "differ from one another"),
        ({"pretrained": "a/b", "encoder": "a b"}, "pattern"),
    ],
)
def test_wrong_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        SmpParams.model_validate(keys)


def test_random_numbers_are_left_alone(file: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    segmenter(weights=file, encoder="mobilenet_v2", classes=NAMES)
    assert torch.equal(torch.get_rng_state(), before)


# --- a model on the hub ---------------------------------------------------------------------------


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INSTYLE_OFFLINE", "0")
    monkeypatch.setattr("instyle_core.weights.download._PAUSES_S", (0, 0))
    with hub_of_this_machine(monkeypatch) as hub:
        for name in ("config.json", "model.safetensors"):
            hub.files[f"/user/net/resolve/main/{name}"] = (folder / name).read_bytes()
        yield hub


def cached(tmp_path: Path) -> list[str]:
    return sorted(p.name for p in (tmp_path / "cache").rglob("*") if p.is_file())


def test_a_model_of_the_hub(
    hub: Hub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = segmenter(pretrained="user/net", classes=NAMES).segment(
        testing.picture(128, 128), Prompt()
    )
    same = segmenter(pretrained=folder, classes=NAMES).segment(testing.picture(128, 128), Prompt())
    assert torch.equal(seen.probabilities, same.probabilities)
    assert cached(tmp_path) == ["config.json", "model.safetensors"]
    asked = len(hub.asked)
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    segmenter(pretrained="user/net", classes=NAMES)  # out of the cache
    assert len(hub.asked) == asked


@pytest.mark.parametrize("answer", ["break", "lie", "404", "500"])
def test_a_download_that_fails_leaves_nothing(hub: Hub, tmp_path: Path, answer: str) -> None:
    hub.answer = answer
    for there in ([], ["config.json"]):
        with pytest.raises(WeightsError) as caught:
            segmenter(pretrained="user/net", classes=NAMES)
        assert caught.value.exit_status == 3
        assert caught.value.where
        assert caught.value.hint
        assert cached(tmp_path) == there
        hub.answer = "well"
        fetch_from_hub("user/net", "config.json")  # now it is the weights that fail
        hub.answer = answer


def test_no_such_model(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="could not be asked for 'user/nest'") as caught:
        segmenter(pretrained="user/nest", classes=NAMES)
    assert caught.value.where == f"{hub.url}/user/nest/resolve/main/config.json"
    assert "check name and network" in str(caught.value.hint)
    assert cached(tmp_path) == []


def test_offline(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="INSTYLE_OFFLINE forbids") as caught:
        segmenter(pretrained="user/net", classes=NAMES)
    assert caught.value.exit_status == 3
    assert "/user/net/resolve/main/config.json by other means" in str(caught.value.hint)
    assert hub.asked == []
    assert not (tmp_path / "cache").exists()
