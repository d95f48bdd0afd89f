"""The parameters of the extractor, and its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

from pydantic import Field

from instyle_core import ExtractorParams, Weights
from instyle_vgg.weights import IMAGENET1K_V1, OXFORD

#: The number of convolutions, each with its ReLU, in each of the blocks.
CONVOLUTIONS = (2, 2, 4, 4, 4)

_STRIDES = {
    f"{kind}{block}_{number}": 2 ** (block - 1)
    for block, count in enumerate(CONVOLUTIONS, start=1)
    for number in range(1, count + 1)
    for kind in ("conv", "relu")
}

Pretrained = Literal["oxford", "imagenet1k_v1"]
Pooling = Literal["max", "average"]
Padding = Literal["mirror", "zeros"]


class VGG19Params(ExtractorParams):
    """The parameters of ``vgg19``."""

    weights: Pretrained = Field(
        default="oxford",
        description="`oxford`: the authors' own weights, on which style transfer was built; they "
        "ship with instyle. `imagenet1k_v1`: torchvision's, a download of 575 MB.",
    )
    pooling: Pooling = Field(
        default="max",
        description="What is between the blocks: `max`, as the network was trained, or `average`, "
        "which Gatys et al. found to look slightly better.",
    )
    padding: Padding = Field(
        default="mirror",
        description="What surrounds a picture and each map: `mirror`, its border once more, so "
        "that features at the border are like those within; or `zeros`, as the network was "
        "trained.",
    )
    scale: float = Field(
        default=1.0,
        gt=0,
        le=1000,
        description="What feature maps are multiplied by. The network of `oxford` sees pixels from "
        "0 to 255: with 0.0174, which is 1 / (255 * 0.225), its maps are those of pixels with a "
        "standard deviation near 1, as the network of `imagenet1k_v1` sees them.",
    )

    def layers(self) -> Mapping[str, int]:
        """``conv1_1, relu1_1, conv1_2, ... relu5_4``, from shallow to deep, each with its stride.

        A ``conv`` is read before its ReLU.
        """
        return _STRIDES

    def pretrained(self) -> Sequence[Weights]:
        return (OXFORD if self.weights == "oxford" else IMAGENET1K_V1,)

    def reach(self, layer: str) -> int:
        """At least half the receptive field, in pixels of the picture.

        Each 3x3 convolution adds a cell of its map, and each pooling half a cell of the pooled map.
        """
        return _reach(layer)


@cache  # it is asked for at each step
def _reach(layer: str) -> int:
    reach = 0
    for name, stride in _STRIDES.items():
        if name.startswith("conv"):
            block, number = map(int, name.removeprefix("conv").split("_"))
            reach += stride + (stride // 2 if number == 1 and block > 1 else 0)
        if name == layer:
            break
    return reach
