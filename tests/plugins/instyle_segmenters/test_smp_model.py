"""The networks of segmentation-models-pytorch, against the networks themselves called by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from instyle_core import InputError, Prompt, testing
from instyle_core.config.select import Select
from instyle_core.objects.select import select_object
from instyle_segmenters import smp_model
from tests.plugins.instyle_segmenters.smp_networks import (
    MEAN,
    NAMES,
    STD,
    by_hand,
    network,
    segmenter,
)

pytestmark = pytest.mark.usefixtures("no_downloads")

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
    unet_file: Path, size: tuple[int, int], filled: tuple[int, int]
) -> None:
    image = testing.picture(*size)
    ours = segmenter(weights=unet_file, encoder="mobilenet_v2", classes=NAMES)
    seen = testing.check_segmenter(ours, image, Prompt())
    assert seen.classes == tuple(NAMES)
    assert seen.instances is None
    expected = by_hand(network(), image, *filled).softmax(dim=0)
    assert (seen.probabilities - expected).abs().max() < 1e-5
    if min(size) > 100:
        assert len(seen.probabilities.argmax(dim=0).unique()) > 1


def test_a_large_picture_is_seen_small(unet_file: Path) -> None:
    image = testing.picture(150, 300)
    ours = segmenter(weights=unet_file, encoder="mobilenet_v2", classes=NAMES, size=160)
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


def test_selecting(unet_file: Path) -> None:
    """By class, point and box, with a network that knows red and blue."""
    ours = segmenter(
        weights=unet_file, encoder="mobilenet_v2", classes=NAMES, mean=[0] * 3, std=[1] * 3
    )

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


def test_preprocessing_of_ones_own(unet_file: Path) -> None:
    image = testing.picture(128, 128)
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.6, 0.7]
    ours = segmenter(weights=unet_file, encoder="mobilenet_v2", classes=NAMES, mean=mean, std=std)
    normal = (image - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    with torch.no_grad():
        expected = network()(normal[None])[0].softmax(dim=0)
    assert (ours.segment(image, Prompt()).probabilities - expected).abs().max() < 1e-5


# --- what cannot be made --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "message", "hint"),
    [
        ({"architecture": "u-net"}, "no architecture 'u-net'", "it has unet"),
        ({"encoder": "mobilenet_v3"}, "no encoder 'mobilenet_v3'", "did you mean 'mobilenet_v2'"),
        ({"encoder": "nothing"}, "no encoder 'nothing'", "tu-NAME"),
        ({"encoder": "tu-nothing"}, "unet on tu-nothing cannot be made", "encoder"),
        ({"options": {"encoder_depth": 9}}, "cannot be made", "options"),
        ({"classes": None}, "3 classes, and their names are not given", "classes: [background"),
        ({"classes": ["cat"]}, "3 classes, and 1 are named", "classes: [background"),
    ],
)
def test_what_cannot_be_made(
    unet_file: Path, keys: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        segmenter(**{"weights": unet_file, "encoder": "mobilenet_v2", "classes": NAMES, **keys})
    assert hint in str(caught.value.hint)


def test_random_numbers_are_left_alone(unet_file: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    segmenter(weights=unet_file, encoder="mobilenet_v2", classes=NAMES)
    assert torch.equal(torch.get_rng_state(), before)
