"""What a plugin implements, and what plugins and core exchange.

Conventions, everywhere in instyle: a picture is a float32 tensor (3, H, W), RGB, sRGB, in [0, 1]; a
mask is a float32 tensor (1, H, W) in [0, 1]; a size is (height, width); a point is (x, y) and a box
(x0, y0, x1, y1), in pixels, x1 and y1 exclusive. A leading N makes a batch.

Torch is named here in annotations only, so that reading a spec never loads it.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from instyle_core.losses import Loss, View
from instyle_core.wording import in_words, problem, unknown_keys

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from instyle_core.weights import Weights

Size = tuple[int, int]
Point = tuple[int, int]
Box = tuple[int, int, int, int]


# --- parameters -----------------------------------------------------------------------------------


class Params(BaseModel):
    """The parameters of a plugin, checked before anything heavy is imported.

    Give every field a default where there is a good one, a description, bounds and units.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def spec_keys(cls) -> list[str]:
        """What can be set, by the names that a spec has for it."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @model_validator(mode="wrap")
    @classmethod
    def _in_plain_words(cls, data: Any, handler: Any) -> Any:
        """Say what is wrong in plain words, and of an unknown key which one is near."""
        if not isinstance(data, dict):
            return handler(data)
        known = cls.spec_keys()
        problems = unknown_keys(data, known)
        try:
            result = handler({key: value for key, value in data.items() if key in known})
        except ValidationError as error:
            problems += [problem(in_words(e), e["loc"], e["input"]) for e in error.errors()]
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        return result

    def pretrained(self) -> Sequence[Weights]:
        """The weights that will be loaded with these parameters; fetched before a run begins."""
        return ()


class ExtractorParams(Params):
    """The parameters of a feature extractor; they also tell its layers."""

    def layers(self) -> Mapping[str, int]:
        """The names of the layers that can be asked for, each with its stride in pixels."""
        raise NotImplementedError

    def reach(self, layer: str) -> int | None:
        """How many pixels around its own stride a cell of a layer depends on.

        Large pictures are computed in tiles that overlap by so much. A map of H x W pixels then has
        to have H // stride x W // stride cells. None, the default, is for a network that has to see
        the whole picture.
        """
        del layer
        return None


class ReaderParams(Params):
    """The parameters of what reads feature maps; they also tell which."""

    def reads(self) -> Mapping[str, Sequence[str]]:
        """The layers that are read, by the name of their extractor in the spec."""
        return {}


class LossParams(ReaderParams):
    """The parameters of a loss; they also tell the feature maps that it reads."""


class RankerParams(ReaderParams):
    """The parameters of a ranker; they also tell the feature maps that it reads."""


def existing_file(value: Any, info: ValidationInfo) -> Any:
    """The validator behind `InputFile`."""
    if not isinstance(value, str | Path):
        return value  # pydantic says what is wrong with it
    context = info.context or {}
    path = absolute(value, context.get("folder"))
    if not os.path.isfile(path):
        what = "this is a folder, not a file" if os.path.isdir(path) else "no such file"
        raise ValueError(f"{what}: {path}")
    context.setdefault("inputs", []).append(path)
    return path


def absolute(path: str | Path, folder: Path | None) -> Path:
    """A path of a spec; one that came with ``--set`` knows its own folder."""
    # pathlib's counterparts raise at an unknown ~user and at a link to itself.
    full = os.path.join(getattr(path, "folder", folder) or "", os.path.expanduser(path))
    return Path(os.path.realpath(full))


#: A file that a parameter names: relative to the spec's folder, checked to be there when the spec
#: is validated, and absolute afterwards.
InputFile = Annotated[Path, BeforeValidator(existing_file)]


class SegmenterParams(Params):
    """The parameters of a segmenter whose masks gain by a refiner; for others, `Params` will do."""

    @classmethod
    def refiner(cls) -> str | None:
        """The name of the refiner that is used where a spec does not say; None for none."""
        return None


# --- segmenters -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prompt:
    """What the user pointed at; all None for nothing in particular.

    Attributes:
        class_name: the class of the object, such as ``cat``.
        point: a pixel of the object, (x, y).
        box: a box around the object, (x0, y0, x1, y1).
    """

    class_name: str | None = None
    point: Point | None = None
    box: Box | None = None


@dataclass(frozen=True)
class Instance:
    """One object that a segmenter told apart.

    Attributes:
        class_name: one of the segmentation's classes.
        mask: float32 (1, H, W), the probability of each pixel to belong to it.
        score: the confidence, in [0, 1].
    """

    class_name: str
    mask: Tensor
    score: float


@dataclass(frozen=True)
class Segmentation:
    """What a segmenter saw.

    Attributes:
        classes: K names; the one called ``background`` is never an object.
        probabilities: float32 (K, H, W), of the picture's size, summing to 1 over K at each pixel.
        instances: one entry per object where the model tells objects apart, else None.
    """

    classes: tuple[str, ...]
    probabilities: Tensor
    instances: tuple[Instance, ...] | None = None


class Segmenter(ABC):
    """Finds objects in a picture. Made by calling the class with its parameters."""

    @abstractmethod
    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment one picture.

        Args:
            image: float32 (3, H, W), RGB, in [0, 1].
            prompt: what the user pointed at. A segmenter that needs a part of it raises
                `InputError` where it is missing; one that has no use for it ignores it.

        Returns:
            A segmentation of the picture's size.
        """


# --- refiners -------------------------------------------------------------------------------------


class Refiner(ABC):
    """Lets a mask follow the photo's edges: segmenters are often coarse.

    Made by calling the class with its parameters.
    """

    @abstractmethod
    def refine(self, image: Tensor, mask: Mask) -> Mask:
        """Correct the mask of one object.

        Args:
            image: the photo, float32 (3, H, W), RGB, in [0, 1].
            mask: the object's, as the segmenter has it; its decision has at least one pixel.

        Returns:
            A mask of the same size.
        """


# --- feature extractors ---------------------------------------------------------------------------


class FeatureExtractor(ABC):
    """A frozen, differentiable network that turns pictures into feature maps."""

    @abstractmethod
    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        """Compute feature maps, with a gradient to the pictures and none to the weights.

        Args:
            images: (N, 3, H, W), RGB, in [0, 1]; normalising them is the extractor's own business.
                Under automatic mixed precision the maps may come in a lower precision.
            layers: names out of ``params.layers()``.

        Returns:
            A map (N, C, H / stride, W / stride) for each of the layers.
        """

    @abstractmethod
    def to(self, device: torch.device, dtype: torch.dtype) -> FeatureExtractor:
        """Move to a device and a floating-point type, and return self. (An ``nn.Module`` does.)"""


# --- rankers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rating:
    """How well a style picture suits an object.

    Attributes:
        score: a finite number; lower suits better.
        figures: what the score is made of, by names to be shown beside it.
    """

    score: float
    figures: Mapping[str, float] = field(default_factory=dict)


class Ranker(ABC):
    """Tells which style picture suits an object. Made by calling the class with its parameters.

    Like a loss, it never runs a network: it reads feature maps that the core computes once per
    picture. Its ratings depend on the two pictures alone, so that a run that is repeated chooses
    the same style.
    """

    @abstractmethod
    def rate(self, content: View, style: View) -> Rating:
        """Rate one style picture; called without gradients.

        Args:
            content: the photo around the object, with the object's mask, which alone counts.
            style: the style picture, with a mask of ones. Long sides of both are the same.

        Returns:
            The rating, to be compared with those of other pictures for the same object.
        """


# --- mergers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mask:
    """One object's mask.

    Attributes:
        probability: float32 (1, H, W), in [0, 1].
        decision: float32 (1, H, W), 0 or 1: which pixels are the object's.
    """

    probability: Tensor
    decision: Tensor


class Merger(ABC):
    """Sets the stylised object back into the photo. Made by calling the class with its parameters.

    Both methods see a crop of the photo around the object, at the photo's full resolution.
    """

    def paints(self, mask: Mask) -> Tensor:
        """Where the merger wants stylised pixels: float32 (1, H, W), 0 or 1.

        The object's own pixels by default; a merger that blends across the boundary asks for a band
        around them. Pixels outside of it are the photo's own in `merge`'s ``stylized``.
        """
        return mask.decision

    @abstractmethod
    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        """Blend two pictures of one size.

        Args:
            content: float32 (3, H, W): the photo.
            stylized: float32 (3, H, W): the same, with the pixels of `paints` stylised.
            mask: the object's.

        Returns:
            float32 (3, H, W) in [0, 1]. A pixel that is to stay as it was must be copied, not
            computed, so that it stays exactly as it was.
        """


#: What the factory of each kind must make.
INTERFACES: Mapping[str, type[Any]] = {
    "segmenter": Segmenter,
    "refiner": Refiner,
    "extractor": FeatureExtractor,
    "loss": Loss,
    "ranker": Ranker,
    "merger": Merger,
}

#: What the parameters of each kind must be.
PARAMS: Mapping[str, type[Params]] = {
    "segmenter": Params,
    "refiner": Params,
    "extractor": ExtractorParams,
    "loss": LossParams,
    "ranker": RankerParams,
    "merger": Params,
}
