"""The parameters of the losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from instyle_core import LossParams

Reduction = Literal["relative", "mean", "sum"]
Gram = Literal["mean", "chw", "sum"]
Pool = Annotated[float, Field(gt=0, le=256)]
Layers = Annotated[tuple[str, ...], Field(min_length=1)]


class ReducedParams(LossParams):
    """What all the losses here have in common."""

    reduction: Reduction = Field(
        default="relative",
        description="`relative`: the squared error over the energy of what is compared with, which "
        "has no unit and does not depend on size, network or layer. `mean`: the mean squared "
        "error. `sum`: the sum of squared errors, as in the paper.",
    )


class FeatureParams(ReducedParams):
    """What the losses on feature maps have in common."""

    extractor: str = Field(
        default="vgg19",
        description="Whose feature maps: the name of an extractor, or of an entry of the spec's "
        "`extractors`.",
    )
    layers: Layers = Field(description="The layers that are compared, at least one.")
    layer_weights: tuple[Annotated[float, Field(ge=0, le=1e9)], ...] | None = Field(
        default=None,
        description="One number for each layer, not negative; all equal when left out. Scaled to a "
        "sum of 1, except that the reduction `sum` takes them as they are, and 1 when left out.",
    )

    @field_validator("layer_weights")
    @classmethod
    def _one_for_each_layer(
        cls, weights: tuple[float, ...] | None, info: ValidationInfo
    ) -> tuple[float, ...] | None:
        layers = info.data.get("layers")  # absent where they are wrong themselves
        if weights is not None and layers is not None:
            if len(weights) != len(layers):
                raise ValueError(
                    f"{len(weights)} weights for {len(layers)} layers; give one for each"
                )
            if not any(weights):
                raise ValueError("all the weights are 0; give at least one above 0")
        return weights

    def reads(self) -> Mapping[str, Sequence[str]]:
        return {self.extractor: self.layers}

    def weighted_layers(self) -> list[tuple[str, float]]:
        """The layers, each with the weight that its error gets in the loss."""
        weights = self.layer_weights or (1.0,) * len(self.layers)
        total = 1.0 if self.reduction == "sum" else sum(weights)
        return [(layer, weight / total) for layer, weight in zip(self.layers, weights, strict=True)]


class ContentParams(FeatureParams):
    """The parameters of ``content``."""

    layers: Layers = Field(
        default=("relu4_1",),
        description="The layers that are compared. Deeper ones keep what things are and let their "
        "shapes go. The paper names conv4_1 and its code reads that after the ReLU.",
    )


class StyleParams(FeatureParams):
    """The parameters of ``style``."""

    layers: Layers = Field(
        default=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
        description="The layers that are compared. Shallow ones take over colors and grain, "
        "deeper ones larger strokes.",
    )
    gram: Gram = Field(
        default="mean",
        description="What the Gram matrix of C feature maps over the n cells of the object is "
        "divided by: `mean`, n; `chw`, C times n, as in the paper's code; `sum`, nothing. With the "
        "reduction `relative`, the first two are the same.",
    )


class LaplacianParams(ReducedParams):
    """The parameters of ``laplacian``."""

    pools: Annotated[tuple[Pool, ...], Field(min_length=1)] = Field(
        default=(0.008, 0.032),
        description="Sides of the squares that are averaged before edges are looked for: below 1 "
        "as a share of the picture's long side, which means the same at every size; from 1 on in "
        "pixels, 1 for none. Larger ones keep larger shapes and let texture go. The default, 4 and "
        "16 pixels at a size of 512, keeps small features such as eyes and the play of light and "
        "shade, but not fur.",
    )
    stride: int | None = Field(
        default=None,
        ge=1,
        description="Distance of the squares, in pixels, at most the smallest of the pools; when "
        "left out, they lie side by side. It needs pools in pixels. The paper's code has 1, with a "
        "pool of 3.",
    )
    pixel_range: float = Field(
        default=1.0,
        gt=0,
        le=1e5,
        description="The value of white in the reductions `mean` and `sum`: 255 for weights as in "
        "Li et al. Nothing changes with `relative`.",
    )

    @field_validator("pools")
    @classmethod
    def _are_shares_or_whole(cls, pools: tuple[float, ...]) -> tuple[float, ...]:
        for pool in pools:
            if pool > 1 and not pool.is_integer():
                raise ValueError(f"{pool} is no whole number of pixels")
        return pools

    @field_validator("stride")
    @classmethod
    def _skips_no_pixel(cls, stride: int | None, info: ValidationInfo) -> int | None:
        pools = info.data.get("pools")  # absent where they are wrong themselves
        if stride is None or pools is None:
            return stride
        if min(pools) < 1:
            raise ValueError(f"needs `pools` in pixels, but {min(pools)} is a share of the picture")
        if stride > min(pools):
            raise ValueError(f"{stride} would skip pixels between squares of {min(pools):.0f}")
        return stride

    def pools_at(self, longest: int) -> tuple[int, ...]:
        """The pools in pixels, for a picture with this long side."""
        return tuple(round(max(1, p * longest if p < 1 else p)) for p in self.pools)


class TVParams(ReducedParams):
    """The parameters of ``tv``."""

    reduction: Reduction = Field(
        default="relative",
        description="`relative`: over the total variation of the photo, so that the photo's own is "
        "1. `mean`: the mean squared difference of neighbors. `sum`: their sum.",
    )


class VectorParams(LossParams):
    """What the losses on the feature vectors of some cells have in common."""

    extractor: str = Field(
        default="vgg19",
        description="Whose feature maps: the name of an extractor, or of an entry of the spec's "
        "`extractors`.",
    )
    layers: Layers = Field(description="The layers that are compared, at least one; all alike.")
    samples: int = Field(
        default=1024,
        ge=16,
        le=65536,
        description="How many cells of each layer are drawn at each step, and how many of the "
        "style; all of them, if there are no more.",
    )

    def reads(self) -> Mapping[str, Sequence[str]]:
        return {self.extractor: self.layers}


class TransportParams(VectorParams):
    """The parameters of ``transport``."""

    layers: Layers = Field(
        default=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
        description="The layers that are compared, all alike. Shallow ones take over colors and "
        "grain, deeper ones larger strokes.",
    )
    directions: int = Field(
        default=64,
        ge=1,
        le=4096,
        description="On how many random directions the vectors are projected at each step.",
    )


class PaletteParams(LossParams):
    """The parameters of ``palette``."""

    samples: int = Field(
        default=4096,
        ge=16,
        le=65536,
        description="How many pixels of the object are drawn at each step, and how many of the "
        "style; all of them, if there are no more.",
    )
    directions: int = Field(
        default=32,
        ge=1,
        le=4096,
        description="On how many random directions the colors are projected at each step.",
    )


class SelfSimilarityParams(VectorParams):
    """The parameters of ``self-similarity``."""

    layers: Layers = Field(
        default=("relu4_3",),
        description="The layers that are compared, all alike. Deeper ones keep what things are, "
        "shallow ones their shapes and outlines as well.",
    )
    samples: int = Field(
        default=512,
        ge=16,
        le=65536,
        description="How many cells of each layer are drawn at each step; all of them, if there "
        "are no more. Time and memory go with its square.",
    )
