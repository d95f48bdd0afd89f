"""The models of a spec: what can be written in it, with types, bounds and units.

To validate one, pydantic needs a context, which `instyle_core.config.plan` makes: the registry in
which ``use:`` is looked up, and the folder that paths are relative to. The result has the record of
every plugin with its checked parameters; nothing heavy is imported for it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from instyle_core.config.optimizer import Adam, Optimizer, words_or_number
from instyle_core.config.resolve import OfKind
from instyle_core.config.select import Select
from instyle_core.config.style_folder import InputFolder
from instyle_core.errors import InputError
from instyle_core.files import picture_format
from instyle_core.interfaces.input_files import InputFile, existing_file, spec_path
from instyle_core.interfaces.messages import shown
from instyle_core.interfaces.params import Params
from instyle_core.plugin.use import Use

#: The keys that a spec may leave out because the default preset supplies them.
FROM_PRESET = ("losses", "merger")


def device_name(value: str) -> str:
    """Check that a text names a device, which need not be there.

    Raises:
        ValueError: it does not.
    """
    if not re.fullmatch(r"auto|cpu|mps|(cuda|xpu)(:[0-9]{1,2})?", value):
        right = "'auto', 'cpu', 'cuda[:N]', 'mps' or 'xpu[:N]'"
        raise ValueError(f"should be {right}; it is {shown(value)}")
    return value


def _style(value: Any) -> Any:
    return {"images": [value]} if isinstance(value, str | Path) else value


def _ranker(value: Any, info: ValidationInfo) -> Any:
    if value is None and info.data.get("choose_from"):
        return (info.context or {}).get("ranker")  # the default one
    return value


def _color(value: Any) -> Any:
    return {"of": value} if isinstance(value, str) else value


def _output(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str | Path):
        return value
    context = info.context or {}
    path = spec_path(value, info)
    try:
        picture_format(path)
    except InputError as error:
        raise ValueError(f"{error.what}; {error.hint}") from error
    folder = Path(os.path.realpath(run_folder(path)))
    for source in context.get("inputs", []):
        if source == path or (os.path.exists(path) and os.path.samefile(source, path)):
            raise ValueError(f"the spec reads this picture, so choose another name: {source}")
        if source.is_relative_to(folder):
            raise ValueError(
                f"the run would replace the folder {folder}, and the spec reads {source.name} from "
                "it; choose another output, or copy the file elsewhere"
            )
    if path.parent in context.get("style_folders", []):
        raise ValueError(
            "the next run would take this picture for a style, since it lies in a folder that one "
            f"is chosen from; choose another folder: {path}"
        )
    return path


def run_folder(output: Path) -> Path:
    """The folder beside an output picture, for everything else that the run writes.

    It has the whole name of the picture: `x.png` and `x.jpg` are two runs.
    """
    return output.with_name(output.name + ".run")


def _start(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str | Path):
        right = "'content', 'noise' or the name of a picture"
        raise ValueError(f"should be {right}; it is {shown(value)}")
    return value if value in ("content", "noise") else existing_file(value, info)


class Style(Params):
    """What the object is to look like: some pictures, or the one of a folder that suits it best."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["images"]}, {"required": ["choose_from"]}]}
    )

    images: list[InputFile] | None = Field(None, min_length=1, description="Style pictures.")
    weights: list[Annotated[float, Field(gt=0, le=1e9)]] | None = Field(
        None, description="One positive weight for each of `images`; equal ones when left out."
    )
    choose_from: InputFolder | None = Field(
        None,
        description="Instead of `images`, a folder of pictures (subfolders are not searched): the "
        "one that suits the object best is the style.",
    )
    ranker: Annotated[Annotated[Use, OfKind("ranker")] | None, BeforeValidator(_ranker)] = Field(
        None,
        validate_default=True,
        description="What rates the pictures of `choose_from`. When left out: affinity.",
    )
    scale: float = Field(
        1.0,
        ge=0.1,
        le=10,
        description="Size of the brush strokes: the style picture's long side as a multiple of the "
        "crop's.",
    )

    @field_validator("weights")
    @classmethod
    def _one_for_each_picture(
        cls, weights: list[float] | None, info: ValidationInfo
    ) -> list[float] | None:
        images = info.data.get("images")  # absent where they are wrong themselves
        if weights is not None and images is not None and len(weights) != len(images):
            raise ValueError(
                f"should be one for each of {len(images)} pictures; there are {len(weights)}"
            )
        return weights

    @model_validator(mode="after")
    def _pictures_or_a_folder(self) -> Style:
        if self.images is None and self.choose_from is None:
            raise ValueError("missing key 'images', or 'choose_from' with a folder")
        if self.images is not None and self.choose_from is not None:
            raise ValueError("there are both 'images' and 'choose_from'; keep one of them")
        for key in ("weights", "ranker"):
            needed = "images" if key == "weights" else "choose_from"
            if getattr(self, key) is not None and getattr(self, needed) is None:
                raise ValueError(f"'{key}' is of no use without '{needed}'")
        return self


class Color(Params):
    """Whose colors a repainted object has (Gatys et al. 2016, arXiv:1606.05897)."""

    of: Literal["style", "content"] = Field(description="The style's, or the photo's own.")
    by: Literal["luminance", "histogram"] = Field(
        "luminance",
        description="How the photo's colors are kept. `luminance`: only lightness is repainted, "
        "and each pixel keeps its color. `histogram`: the style picture is first given the mean "
        "and spread of the object's colors, so that colors may move within the object.",
    )


#: Colors are left as the style has them.
COLORS_OF_STYLE = Color(of="style")


def _some_weight(losses: list[Use]) -> list[Use]:
    if losses and not any(loss.weight > 0 for loss in losses):
        raise ValueError("no loss has a weight above 0, so that there is nothing to minimize")
    return losses


Losses = Annotated[list[Annotated[Use, OfKind("loss")]], AfterValidator(_some_weight)]
StyleField = Annotated[Style, BeforeValidator(_style)]
ColorField = Annotated[Color, BeforeValidator(_color)]


class ObjectSpec(Params):
    """One object of the photo; what is left out is as the spec's top level has it."""

    segmenter: Annotated[Use, OfKind("segmenter")] | None = Field(
        None, description="What finds the object."
    )
    select: Select = Field(Select(), description="Which object it is.")
    style: StyleField | None = Field(None, description="What it is to look like.")
    color: ColorField | None = Field(None, description="Whose colors it is to have.")
    losses: Losses | None = Field(None, min_length=1, description="The objective.")
    merger: Annotated[Use, OfKind("merger")] | None = Field(None, description="How it is set back.")


class Spec(Params):
    """What to do: one photo, its objects, and how each is to be repainted."""

    version: Literal[1] = Field(description="Version of the format: 1.")
    content: InputFile = Field(description="The photo, relative to the spec's folder.")
    objects: list[ObjectSpec] | None = Field(
        None, min_length=1, description="The objects; leave it out to stylize the whole picture."
    )
    style: StyleField | None = Field(
        None, description="A picture, or several with weights: what objects are to look like."
    )
    color: ColorField = Field(
        COLORS_OF_STYLE,
        description="Whose colors objects are to have: `style`, `content`, or such as {of: "
        "content, by: histogram}.",
    )
    segmenter: Annotated[Use, OfKind("segmenter")] | None = Field(
        None,
        description="What finds the objects. When left out: fcn8s; click for an object that only a "
        "box or points tell, text for one that words tell.",
    )
    losses: Losses = Field(
        min_length=1, description="The terms of the objective, each with a weight of at least 0."
    )
    merger: Annotated[Use, OfKind("merger")] = Field(
        description="How objects are set back into the photo."
    )
    extractors: dict[str, Annotated[Use, OfKind("extractor")]] = Field(
        {},
        description="Extractors that need parameters, by the names that losses use for them; "
        "others are used with their defaults.",
    )
    optimizer: Optimizer = Field(Adam(), description="How the objective is minimized.")
    size: int = Field(
        512,
        ge=32,
        le=16384,
        description="Long side, in pixels, that an object's crop is optimized at; a smaller crop "
        "keeps its own resolution. The photo always keeps its own.",
    )
    shrink: int | None = Field(
        None,
        ge=32,
        description="Long side, in pixels, that larger pictures are shrunk to when they are read, "
        "for a preview; points and boxes still count the pixels of the file. None for the photo's "
        "own resolution.",
    )
    margin: float = Field(
        0.04,
        ge=0,
        le=2,
        description="Context around an object, as a fraction of its box's long side.",
    )
    start: Annotated[Literal["content", "noise"] | Path, BeforeValidator(_start)] = Field(
        "content",
        description="What the optimization starts from: content, noise, or a picture of the "
        "photo's proportions.",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seed of all that is random.")
    device: Annotated[str, AfterValidator(device_name)] = Field(
        "auto",
        description="Where to compute: cpu; cuda or cuda:N, a GPU of NVIDIA or AMD; mps, Apple's; "
        "xpu or xpu:N, Intel's; or auto, the GPU that torch finds, if any.",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Of the networks; auto takes bfloat16 where the processor or GPU is fast at "
        "it. The picture, Gram matrices and losses are float32 in any case.",
    )
    tile: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=64)], words_or_number("auto", start=64)
    ] = Field(
        "auto",
        description="Side, in pixels, of the tiles in which a large picture, of more than 1.5 "
        "times the pixels of a tile, goes through the networks: the same result with less memory, "
        "in twice the time. auto: on a processor, so that 2048 pixels need less than 6 GB; on a "
        "GPU, only once its memory is full.",
    )
    snapshots: int = Field(
        0, ge=0, description="Keep the picture every so many steps; 0 for never."
    )
    max_megapixels: float = Field(
        100.0, gt=0, description="Larger pictures are refused, in millions of pixels."
    )
    metadata: Literal["keep", "none"] = Field(
        "keep",
        description="What the output has of the photo's metadata: keep, what tells of the scene "
        "(date, author, copyright, description, camera, exposure, place, resolution), or none. The "
        "color profile is kept in any case.",
    )
    # Last, so that it is compared with every file that the spec reads.
    output: Annotated[Path, BeforeValidator(_output)] = Field(
        description="The picture to write, relative to the spec's folder."
    )
