"""The parameters of the segmenters."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from instyle_core import (
    InputPicture,
    InputWeights,
    SegmenterParams,
    Weights,
    existing_file,
    spec_path,
)
from instyle_segmenters.weights import PUBLISHED, Model, classes_of, tells_apart


class OneObjectParams(SegmenterParams):
    """The parameters of what finds a single object, which has no other name."""

    def finds(self) -> Sequence[str]:
        return ("object",)


class PointedParams(OneObjectParams):
    """The parameters of what cuts out an object that is pointed at."""

    def needs(self) -> Sequence[str]:
        return ("box", "point")


#: Some masks besides the first.
Masks = Annotated[list[InputPicture], Field(min_length=1, max_length=100)]


class MaskParams(OneObjectParams):
    """The parameters of ``mask``."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["path"]}, {"required": ["add"]}]}
    )

    path: InputPicture | None = Field(
        default=None,
        description="The mask: a PNG or another picture file of any size, white where the object "
        "is. Gray is a soft edge; the object's pixels are those of at least one half. It may be "
        "left out where there is `add`.",
    )
    invert: bool = Field(
        default=False, description="Whether the object is black in `path` instead."
    )
    add: Masks | None = Field(
        default=None,
        description="Further masks: the object is where any of them is white, too (the largest "
        "value counts).",
    )
    subtract: Masks | None = Field(
        default=None,
        description="Masks of what is not the object, though `path` or `add` has it (no value is "
        "above 1 minus theirs).",
    )

    @model_validator(mode="after")
    def _some_mask(self) -> Self:
        if self.path is None and self.add is None:
            raise ValueError("missing key 'path', or 'add' with some masks")
        if self.path is None and self.invert:
            raise ValueError("'invert' is of no use without 'path'")
        return self


class GrabCutParams(PointedParams):
    """The parameters of ``grabcut``."""

    iterations: int = Field(
        default=5,
        ge=1,
        le=50,
        description="How often colors are learned and the picture is cut, in turns.",
    )


class SnakeParams(PointedParams):
    """The parameters of ``snake``."""

    method: Literal["chan-vese", "geodesic"] = Field(
        default="chan-vese",
        description="What moves the contour: `chan-vese`, what the colors on either side are "
        "like; `geodesic`, edges, for an object with a clear outline on a quiet background.",
    )
    iterations: int = Field(
        default=150,
        ge=1,
        le=2000,
        description="The most steps, of about a pixel each; it stops where nothing moves.",
    )
    smoothing: int = Field(
        default=2,
        ge=0,
        le=10,
        description="How often the contour is smoothed after each step; more makes it rounder.",
    )
    balloon: float | None = Field(
        default=None,
        ge=-5,
        le=5,
        description="Of `geodesic`: what drives the contour where there is no edge. Below 0 it "
        "shrinks, above 0 it grows. When left out, -1 from a box and 1 from a point.",
    )


class RegionParams(PointedParams):
    """The parameters of ``region``."""

    method: Literal["walker", "growing"] = Field(
        default="walker",
        description="`walker`: where a random walk comes to the object rather than to the "
        "background first. `growing`: what is connected to the point and of nearly its color, as "
        "the magic wand of a paint program has it.",
    )
    radius: float | None = Field(
        default=None,
        gt=0,
        le=0.5,
        description="Radius of the disc around the point that is surely the object, as a fraction "
        "of the shorter side of the box, or of the picture. When left out: for `walker` 0.2 with "
        "a box and 0.15 without; for `growing` 0.03.",
    )
    tolerance: float = Field(
        default=25.0,
        ge=0,
        le=200,
        description="Of `growing`: how far a color may be from that of the disc, in CIE Lab, "
        "where 2 can just be seen and black is 100 from white.",
    )
    beta: float = Field(
        default=2000.0,
        gt=0,
        le=1e6,
        description="Of `walker`: how strongly a walk avoids crossing a difference in color.",
    )


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("should be names that differ from one another")
    return names


Classes = Annotated[
    list[Annotated[str, Field(min_length=1)]], Field(min_length=1), AfterValidator(_distinct)
]


class TorchvisionParams(SegmenterParams):
    """The parameters of ``torchvision``."""

    model: Model = Field(
        default="deeplabv3_mobilenet_v3_large",
        description="The network, by torchvision's name. `maskrcnn_...` tell objects of one class "
        "apart and know the 80 classes of COCO; the others know the 20 of VOC.",
    )
    weights: InputWeights | None = Field(
        default=None,
        description="Your own weights for it: a state_dict as .safetensors or .pth. The published "
        "ones, a download, when left out.",
    )
    classes: Classes | None = Field(
        default=None,
        description="The names of your own weights' classes in their order, `background` first; "
        "needed unless they are as many as the published ones.",
    )
    size: int | None = Field(
        default=None,
        ge=32,
        le=8192,
        description="The shorter side that the network sees, in pixels; when left out, the one it "
        "was trained for: 520, and 800 for `maskrcnn_...`.",
    )
    threshold: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Of `maskrcnn_...`: the least confidence of an object.",
    )
    most: int = Field(
        default=50,
        ge=1,
        le=1000,
        description="Of `maskrcnn_...`: at most so many objects, the most confident ones. Each "
        "takes 4 bytes per pixel of the photo.",
    )

    def pretrained(self) -> Sequence[Weights]:
        return () if self.weights else (PUBLISHED[self.model],)

    def finds(self) -> Sequence[str]:
        # Of Mask R-CNN, the first class is the background whatever it is called.
        own = self.classes and self.classes[tells_apart(self.model) :]
        return [name for name in own or classes_of(self.model) if name != "background"]


#: What a folder of segmentation-models-pytorch holds.
CONFIG, STATE = "config.json", "model.safetensors"


def _folder_or_name(value: Any, info: ValidationInfo) -> Any:
    """Check a folder's files, and make it absolute; keep the name of a model on the hub."""
    if not isinstance(value, str | Path):
        return value  # pydantic refuses other types
    folder = spec_path(value, info)
    if os.path.isdir(folder):
        for name in (CONFIG, STATE):
            existing_file(folder / name, info)
        return str(folder)
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", str(value)):
        return value
    raise ValueError(
        f"neither a folder nor the name of a model on huggingface.co, owner/name: {folder}"
    )


Source = Annotated[str, BeforeValidator(_folder_or_name)]
Three = Annotated[list[Annotated[float, Field(ge=-1e3, le=1e3)]], Field(min_length=3, max_length=3)]


class SmpParams(SegmenterParams):
    """The parameters of ``smp``."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["weights"]}, {"required": ["pretrained"]}]}
    )

    weights: InputWeights | None = Field(
        default=None,
        description="The weights: a state_dict as .safetensors or .pth. Either this or "
        "`pretrained`.",
    )
    source: Source | None = Field(
        default=None,
        alias="pretrained",
        description="A folder that `model.save_pretrained` wrote, or the name of such a model on "
        "huggingface.co, `owner/name`, which is downloaded.",
    )
    architecture: str | None = Field(
        default=None,
        description="What is built on the encoder: `unet`, `unetplusplus`, `manet`, `linknet`, "
        "`fpn`, `pspnet`, `deeplabv3`, `deeplabv3plus`, `pan`, `upernet`, `segformer` or `dpt`. "
        "`unet` when left out; `pretrained` includes it.",
    )
    encoder: str | None = Field(
        default=None,
        pattern=r"^[\w.+-]+$",
        description="The encoder, by the name that segmentation-models-pytorch has for it, such "
        "as `resnet34`, `mit_b0` or `tu-convnext_tiny`. `resnet34` when left out; `pretrained` "
        "includes it.",
    )
    options: dict[str, Any] = Field(
        default={},
        description="Further arguments of the architecture that the weights were trained with, "
        "such as `{decoder_channels: [128, 64, 32, 16, 8]}`.",
    )
    classes: Classes | None = Field(
        default=None,
        description="The names of the classes in the network's order; one called `background` is "
        "never an object. A network with a single channel has one class, `object` when left out, "
        "and background besides.",
    )
    size: int = Field(
        default=1024,
        ge=32,
        le=8192,
        description="The longest side that the network sees, in pixels; a longer picture is shrunk "
        "for it, and the probabilities are enlarged again.",
    )
    mean: Three | None = Field(
        default=None,
        description="What was subtracted from R, G and B in [0, 1] in training; when left out, "
        "what the encoder's own training did.",
    )
    std: Three | None = Field(
        default=None,
        description="What R, G and B were divided by then; when left out, likewise.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.weights is None) == (self.source is None):
            raise ValueError(
                "needs trained weights: either `weights`, a file, or `pretrained`, a folder or the "
                "name of a model on huggingface.co"
            )
        if self.std and min(self.std) < 1e-3:
            raise ValueError("`std` should be at least 0.001")
        return self

    def finds(self) -> Sequence[str]:
        # A network of more than one channel is refused without names.
        names = self.classes or ["object"]
        return [name for name in names if name != "background"]
