"""The parameters of ``sam`` and ``text``."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from instyle_core import SegmenterParams, Weights, existing_file, spec_path
from instyle_sam.weights import (
    CONFIG,
    PREPROCESSOR,
    READERS,
    SAMS,
    STATE,
    WORDS,
    Method,
    SamModel,
)

_PICKLES = {".bin", ".pt", ".pth", ".ckpt"}

#: Where newer versions of transformers write the preprocessing, too.
PROCESSOR = "processor_config.json"


def _folder_or_name(value: Any, info: ValidationInfo, *, files: Sequence[str]) -> Any:
    """Check a folder's files, and make it absolute; keep the name of a model on the hub."""
    if not isinstance(value, str | Path):
        return value  # pydantic refuses other types
    folder = spec_path(value, info)
    if not os.path.isdir(folder):
        if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", str(value)):
            return value
        raise ValueError(
            f"neither a folder nor the name of a model on huggingface.co, owner/name: {folder}"
        )
    if not os.path.isfile(folder / STATE):
        pickles = sorted(file for file in os.listdir(folder) if Path(file).suffix in _PICKLES)
        if pickles:
            raise ValueError(
                f"the folder has {pickles[0]}, but no {STATE}; a pickle can run any code, and is "
                f"not loaded: write the network with `model.save_pretrained`: {folder}"
            )
    prepared = PROCESSOR if os.path.isfile(folder / PROCESSOR) else PREPROCESSOR
    for name in (CONFIG, prepared, *files, STATE):
        existing_file(folder / name, info)
    return str(folder)


def _that_sees(value: Any, info: ValidationInfo) -> Any:
    return _folder_or_name(value, info, files=())


def _that_reads(value: Any, info: ValidationInfo) -> Any:
    return _folder_or_name(value, info, files=WORDS)


def _sam(value: Any, info: ValidationInfo) -> Any:
    return value if value in SAMS else _that_sees(value, info)


class NetworkParams(SegmenterParams):
    """What both segmenters share: networks of transformers, and a single class of objects."""

    def finds(self) -> Sequence[str]:
        return ("object",)

    @model_validator(mode="after")
    def _transformers(self) -> Self:
        # Checked here, and not by importing it later, so that nothing is downloaded in vain.
        if find_spec("transformers") is None:
            name = type(self).__name__.removesuffix("Params").lower()
            then = "".join(
                f"; after that, `instyle models pull {weights.name}` downloads "
                f"{weights.megabytes:g} MB"
                for weights in self.pretrained()
            )
            raise ValueError(
                f"`{name}` needs the package transformers, which is not installed: "
                f"pip install 'instyle[{name}]'{then}"
            )
        return self


class SamParams(NetworkParams):
    """The parameters of ``sam``."""

    model: SamModel = Field(
        default="sam2.1-hiera-tiny",
        description="The network, which is downloaded: `sam2.1-hiera-tiny` (156 MB), "
        "`sam2.1-hiera-small` (184 MB) or `sam-vit-base` (375 MB).",
    )
    source: Annotated[str, BeforeValidator(_that_sees)] | None = Field(
        default=None,
        alias="pretrained",
        description="Instead of `model`, a folder with config.json, preprocessor_config.json and "
        "model.safetensors as transformers writes them, of a SAM or SAM 2; or the name of such a "
        "model on huggingface.co, `owner/name`, which is downloaded.",
    )
    grid: int = Field(
        default=16,
        ge=1,
        le=32,
        description="Without a point or a box: how many points to a side are tried, on a grid over "
        "the photo. More find smaller objects, and take longer.",
    )
    threshold: float = Field(
        default=0.88,
        ge=0,
        le=1,
        description="Without a point or a box: the least IoU with a true object that the network "
        "expects of a mask.",
    )
    most: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="Without a point or a box: at most so many objects, the surest ones. Each "
        "takes 4 bytes per pixel of the photo.",
    )

    def pretrained(self) -> Sequence[Weights]:
        return () if self.source else (SAMS[self.model],)


class TextParams(NetworkParams):
    """The parameters of ``text``."""

    method: Method = Field(
        default="dino-sam",
        description="`dino-sam`: Grounding DINO finds boxes (a download of 689 MB), and `sam` the "
        "object in each. `clipseg`: CLIPSeg finds a coarse mask by itself (603 MB).",
    )
    source: Annotated[str, BeforeValidator(_that_reads)] | None = Field(
        default=None,
        alias="pretrained",
        description="A Grounding DINO or CLIPSeg of your own: a folder with config.json, "
        "preprocessor_config.json, tokenizer.json, tokenizer_config.json and model.safetensors as "
        "transformers writes them, or the name of such a model on huggingface.co, `owner/name`, "
        "which is downloaded.",
    )
    sam: Annotated[str, BeforeValidator(_sam)] = Field(
        default="sam2.1-hiera-tiny",
        description="Of `dino-sam`: the network of `sam`, by one of the names of its `model`, or "
        "what its `pretrained` takes.",
    )
    threshold: float | None = Field(
        default=None,
        ge=0.01,
        le=0.99,
        description="The least score of what fits the text: of a box, and 0.35 when left out; of a "
        "pixel with `clipseg`, and 0.5.",
    )
    most: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="Of `dino-sam`: at most so many objects, those that fit best. Each takes 4 "
        "bytes per pixel of the photo.",
    )

    def needs(self) -> Sequence[str]:
        return ("text",)

    def pretrained(self) -> Sequence[Weights]:
        reader = () if self.source else (READERS[self.method],)
        sam = next((w for name, w in SAMS.items() if name == self.sam), None)
        return (*reader, sam) if sam and self.method == "dino-sam" else reader
