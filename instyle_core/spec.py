"""The models of a spec: what can be written in it, with types, bounds and units.

Validating one needs a context, which `instyle_core.plan` makes: the registry that ``use:`` is looked
up in, and the folder that paths are relative to. The result holds every plugin's record with its
checked parameters, and nothing heavy has been imported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from instyle_core.errors import InputError
from instyle_core.hookspecs import Kind, Plugin
from instyle_core.interfaces import (
    ExtractorParams,
    InputFile,
    LossParams,
    Params,
    absolute,
    existing_file,
)

if TYPE_CHECKING:
    from instyle_core.registry import Registry

#: The formats that a run can write.
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")

# --- plugins named in a spec ----------------------------------------------------------------------


@dataclass(frozen=True)
class Use:
    """A plugin that a spec uses, with its checked parameters.

    Attributes:
        plugin: its record.
        params: its parameters.
        weight: of a loss, its factor in the objective; 1 for everything else.
    """

    plugin: Plugin
    params: Params
    weight: float = 1.0

    def create(self) -> Any:
        """Import the code behind the record and make the thing."""
        return self.plugin.load()(self.params)

    def dump(self) -> dict[str, Any]:
        """As it would be written in a spec, every default spelt out."""
        weight = {"weight": self.weight} if self.plugin.kind == "loss" else {}
        return {"use": self.plugin.name, **weight, **self.params.model_dump(mode="json")}


def _problem(location: tuple[str | int, ...], message: str, value: Any = None) -> InitErrorDetails:
    error = PydanticCustomError("value_error", "{message}", {"message": message})
    return InitErrorDetails(type=error, loc=location, input=value)


def resolve(kind: Kind, value: Any, context: Mapping[str, Any]) -> Use:
    """Look up ``{use: name, ...}`` and check its parameters; a bare name will do.

    Raises:
        ValidationError: with everything that is wrong with it.
    """
    if isinstance(value, Use):
        return value
    value = {"use": value} if isinstance(value, str) else value
    if not isinstance(value, dict) or not isinstance(value.get("use"), str):
        message = f"should be a {kind}, such as {{use: NAME}}"
        raise PydanticCustomError("value_error", "{message}", {"message": message})
    registry: Registry = context["registry"]
    try:
        plugin = registry.find(kind, value["use"])
    except InputError as error:
        message = f"{error.what}; {error.hint}" if error.hint else error.what
        raise _errors(kind, [_problem(("use",), message)]) from error

    given = {key: item for key, item in value.items() if key != "use"}
    problems: list[InitErrorDetails] = []
    weight = 1.0
    if kind == "loss" and "weight" in given:
        given_weight = given.pop("weight")
        try:
            weight = _Weighted.model_validate({"weight": given_weight}).weight
        except ValidationError as error:
            problems += [_problem(e["loc"], e["msg"], e["input"]) for e in error.errors()]
    try:
        params = plugin.params.model_validate(given, context=dict(context))
    except ValidationError as error:
        problems += [_problem(e["loc"], e["msg"], e["input"]) for e in error.errors()]
    else:
        if isinstance(params, LossParams):
            problems += _unreadable_layers(params, context)
        if not problems:
            return Use(plugin, params, weight)
    raise _errors(kind, problems)


def _errors(title: str, problems: list[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data(title, problems)


def _unreadable_layers(params: LossParams, context: Mapping[str, Any]) -> list[InitErrorDetails]:
    """Layers that a loss reads and its extractor does not have."""
    problems = []
    for name, layers in params.reads().items():
        written = context["extractors"].get(name, name)
        try:
            extractor = resolve("extractor", written, context).params
        except ValidationError as error:
            if name not in context["extractors"]:  # otherwise it is reported where it is written
                problems.append(_problem(("extractor",), error.errors()[0]["msg"], name))
            continue
        except PydanticCustomError:
            continue
        assert isinstance(extractor, ExtractorParams)
        there = extractor.layers()
        for layer in layers:
            if layer not in there:
                message = f"the extractor '{name}' has no layer '{layer}'; {_range(list(there))}"
                problems.append(_problem(("layers",), message, layer))
    return problems


def _range(names: list[str]) -> str:
    if len(names) <= 8:
        return f"it has {', '.join(names)}"
    return f"it has {', '.join(names[:4])}, ... {', '.join(names[-2:])}"


class _Weighted(Params):
    weight: float = Field(1.0, ge=0)


def _use(kind: Kind) -> Any:
    """The type of an entry ``{use: NAME, ...}`` of one kind."""
    return Annotated[
        Any,
        PlainValidator(lambda value, info: resolve(kind, value, info.context)),
        PlainSerializer(Use.dump),
        # A mark, which instyle_core.schema turns into the choice of installed plugins.
        WithJsonSchema({"plugin": kind}),
    ]


if TYPE_CHECKING:
    SegmenterUse = ExtractorUse = LossUse = MergerUse = Use
else:
    SegmenterUse, ExtractorUse = _use("segmenter"), _use("extractor")
    LossUse, MergerUse = _use("loss"), _use("merger")


# --- values that are one thing or another ---------------------------------------------------------


def _words_or_number(*words: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if not (whole or value in words):
            raise ValueError(f"should be {', '.join(map(repr, words))} or a whole number from 0 on")
        return value

    return BeforeValidator(check)


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
        raise ValueError("should be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'")
    return value


def _style(value: Any) -> Any:
    return {"images": [value]} if isinstance(value, str | Path) else value


def _output(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str | Path):
        return value
    context = info.context or {}
    path = absolute(value, context.get("folder"))
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise ValueError(f"its name should end in one of {', '.join(PICTURE_SUFFIXES)}")
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent}")
    if path.is_dir():
        raise ValueError("is a folder; name a picture to write")
    folder = run_folder(path)
    for source in context.get("inputs", []):
        if source == path or (path.exists() and os.path.samefile(source, path)):
            raise ValueError(
                f"is a picture that the spec reads ({source}); inputs are never written"
            )
        if source.is_relative_to(folder):
            raise ValueError(
                f"the run would replace the folder {folder}, which the spec reads {source.name} from; "
                "choose another output, or copy the file elsewhere"
            )
    return path


def run_folder(output: Path) -> Path:
    """The folder beside an output picture that keeps what the run left behind."""
    return output.with_name(output.stem + ".run")


def _start(value: Any, info: ValidationInfo) -> Any:
    return value if value in ("content", "noise") else existing_file(value, info)


# --- the spec -------------------------------------------------------------------------------------


class Select(Params):
    """Which object: any of class, point and box; among several, `instance`."""

    class_name: str | None = Field(
        None, alias="class", description="Class of the object, such as cat."
    )
    point: tuple[int, int] | None = Field(
        None, description="A pixel of the object: [x, y], from the photo's top left."
    )
    box: tuple[int, int, int, int] | None = Field(
        None,
        description="A box around the object: [x0, y0, x1, y1] in pixels, x1 and y1 exclusive.",
    )
    instance: Annotated[Literal["largest", "all"] | int, _words_or_number("largest", "all")] = (
        Field(
            "largest",
            description="Which one where several fit: the largest, all of them, or a number from 0 on, "
            "by falling area.",
        )
    )


class Style(Params):
    """What the object is to look like."""

    images: list[InputFile] = Field(min_length=1, description="Style pictures.")
    weights: list[Annotated[float, Field(gt=0)]] | None = Field(
        None, description="One positive weight for each picture; equal ones when left out."
    )
    scale: float = Field(
        1.0,
        ge=0.1,
        le=10,
        description="Size of the brush strokes: the style picture's long side as a multiple of the "
        "crop's.",
    )


class Adam(Params):
    """Adam (Kingma and Ba 2015) on the pixels, which are clamped to [0, 1] after each step."""

    use: Literal["adam"] = Field("adam", description="The optimiser.")
    steps: int = Field(200, ge=1, le=100_000, description="Steps in all, over all scales.")
    scales: Annotated[Literal["auto"] | int, _words_or_number("auto")] = Field(
        "auto",
        description="Coarse to fine: the number of sizes, each twice the one before; auto starts at "
        "a long side near 160 pixels.",
    )
    learning_rate: float = Field(0.02, gt=0, le=10, description="Step size, in units of [0, 1].")
    weight_decay: float = Field(0.0, ge=0, le=10, description="L2 penalty on the pixels.")


class LBFGS(Params):
    """L-BFGS (Liu and Nocedal 1989) with a strong Wolfe line search."""

    use: Literal["lbfgs"] = Field("lbfgs", description="The optimiser.")
    steps: int = Field(100, ge=1, le=100_000, description="Iterations in all, over all scales.")
    scales: Annotated[Literal["auto"] | int, _words_or_number("auto")] = Field(
        "auto", description="Coarse to fine, as for adam."
    )
    learning_rate: float = Field(1.0, gt=0, le=10, description="Length of the first trial step.")
    history: int = Field(10, ge=1, le=1000, description="Curvature pairs that are kept.")


def _some_weight(losses: list[Use]) -> list[Use]:
    if losses and not any(loss.weight > 0 for loss in losses):
        raise ValueError("no loss has a weight above 0, so that there is nothing to minimise")
    return losses


Losses = Annotated[list[LossUse], AfterValidator(_some_weight)]
StyleField = Annotated[Style, BeforeValidator(_style)]
Optimizer = Annotated[Adam | LBFGS, Field(discriminator="use")]


class ObjectSpec(Params):
    """One object of the photo; what is left out is as the spec's top level has it."""

    segmenter: SegmenterUse | None = Field(None, description="What finds the object.")
    select: Select = Field(Select(), description="Which object it is.")
    style: StyleField | None = Field(None, description="What it is to look like.")
    losses: Losses | None = Field(None, min_length=1, description="The objective.")
    merger: MergerUse | None = Field(None, description="How it is set back.")


class Spec(Params):
    """What to do: one photo, its objects, and how each is to be repainted."""

    version: Literal[1] = Field(description="Version of the format: 1.")
    content: InputFile = Field(description="The photo, relative to the spec's folder.")
    objects: list[ObjectSpec] | None = Field(
        None, min_length=1, description="The objects; leave it out to stylise the whole picture."
    )
    style: StyleField | None = Field(
        None, description="A picture, or several with weights: what objects are to look like."
    )
    segmenter: SegmenterUse = Field(description="What finds the objects.")
    losses: Losses = Field(
        min_length=1, description="The terms of the objective, each with a weight of at least 0."
    )
    merger: MergerUse = Field(description="How objects are set back into the photo.")
    extractors: dict[str, ExtractorUse] = Field(
        {},
        description="Extractors that need parameters, by the names that losses know them by; others "
        "are used with their defaults.",
    )
    optimizer: Optimizer = Field(Adam(), description="How the objective is minimised.")
    size: int = Field(
        512,
        ge=32,
        le=16384,
        description="Long side, in pixels, that an object's crop is optimised at; a smaller crop "
        "keeps its own resolution. The photo always keeps its own.",
    )
    margin: float = Field(
        0.1,
        ge=0,
        le=2,
        description="Context around an object, as a fraction of its box's long side.",
    )
    start: Annotated[Literal["content", "noise"] | Path, BeforeValidator(_start)] = Field(
        "content",
        description="What the optimisation starts from: content, noise, or a picture of the photo's "
        "proportions.",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seed of all that is random.")
    device: Annotated[str, AfterValidator(_device)] = Field(
        "auto", description="Where to compute: auto, cpu, cuda, cuda:N or mps."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Of the networks; auto takes bfloat16 where the processor is fast at it. "
        "Losses are float32 in any case.",
    )
    snapshots: int = Field(
        0, ge=0, description="Keep the picture every so many steps; 0 for never."
    )
    max_megapixels: float = Field(
        100.0, gt=0, description="Larger pictures are refused, in millions of pixels."
    )
    # Last, so that it is compared with every file that the spec reads.
    output: Annotated[Path, BeforeValidator(_output)] = Field(
        description="The picture to write, relative to the spec's folder."
    )
