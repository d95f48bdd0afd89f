"""The published networks, and how each wants its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from instyle_core import Weights

Name = Literal["u2netp", "isnet-general-use", "birefnet-general-lite"]

_Three = tuple[float, float, float]

_IMAGENET: tuple[_Three, _Three] = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_RELEASE = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"


@dataclass(frozen=True)
class Model:
    """A network, and how it wants its pictures.

    Attributes:
        weights: its file.
        size: of the square that it was trained for, in pixels.
        mean: subtracted from R, G and B in [0, 1].
        std: what they are divided by then.
        brightest: whether the picture is first divided by its largest value.
        is_logit: whether it answers with logits instead of probabilities.
    """

    weights: Weights
    size: int
    mean: _Three
    std: _Three
    brightest: bool
    is_logit: bool


#: By name. The files are those of the project rembg, which exported them; the preprocessing is that
#: of the networks' authors.
MODELS: dict[Name, Model] = {
    "u2netp": Model(
        Weights(
            name="u2netp",
            file="u2netp.onnx",
            sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
            megabytes=4.6,
            license="Apache-2.0",
            summary="U2-Net, its small version; trained on DUTS, 10,553 photos.",
            url=f"{_RELEASE}/u2netp.onnx",
        ),
        320,
        *_IMAGENET,
        brightest=True,
        is_logit=False,
    ),
    "isnet-general-use": Model(
        Weights(
            name="isnet-general-use",
            file="isnet-general-use.onnx",
            sha256="60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a",
            megabytes=178.6,
            license="Apache-2.0",
            summary="IS-Net for general use; trained on DIS5K and more.",
            url=f"{_RELEASE}/isnet-general-use.onnx",
        ),
        1024,
        (0.5, 0.5, 0.5),
        (1.0, 1.0, 1.0),
        brightest=False,
        is_logit=False,
    ),
    "birefnet-general-lite": Model(
        Weights(
            name="birefnet-general-lite",
            file="BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx",
            sha256="5600024376f572a557870a5eb0afb1e5961636bef4e1e22132025467d0f03333",
            megabytes=224,
            license="MIT",
            summary="BiRefNet on a Swin-T; trained on DIS5K, DUTS, HRSOD, UHRSD and more.",
            url=f"{_RELEASE}/BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx",
        ),
        1024,
        *_IMAGENET,
        brightest=False,
        is_logit=True,
    ),
}
