"""The parameters of the extractor and of the loss."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from instyle_core import ExtractorParams, LossParams, Weights, existing_file, spec_path
from instyle_midas.weights import CONFIG, PREPROCESSOR, PUBLISHED, STATE

#: The extractor's only layer.
LAYER = "depth"

_PICKLES = {".bin", ".pt", ".pth", ".ckpt"}


def _name_or_folder(value: Any, info: ValidationInfo) -> Any:
    """Keep the name of a published network; check a folder's files, and make it absolute."""
    if not isinstance(value, str | Path) or value in PUBLISHED:
        return value  # pydantic refuses other types
    folder = spec_path(value, info)
    if not os.path.isdir(folder):
        raise ValueError(f"neither one of {', '.join(PUBLISHED)}, nor a folder: {folder}")
    if not os.path.isfile(folder / STATE):
        pickles = sorted(file for file in os.listdir(folder) if Path(file).suffix in _PICKLES)
        if pickles:
            raise ValueError(
                f"the folder has {pickles[0]}, but no {STATE}; a pickle can run any code, and is "
                f"not loaded: write the network with `model.save_pretrained`: {folder}"
            )
    for name in (CONFIG, PREPROCESSOR, STATE):
        existing_file(folder / name, info)
    return str(folder)


class MidasParams(ExtractorParams):
    """The parameters of ``midas``."""

    model: Annotated[str, BeforeValidator(_name_or_folder)] = Field(
        default="dpt-hybrid-midas",
        description="The network: `dpt-hybrid-midas` (490 MB), `dpt-large` (1.4 GB, the paper's) "
        "or `depth-anything-v2-small` (99 MB), which are downloaded; or a folder with "
        "config.json, preprocessor_config.json and model.safetensors as transformers writes them, "
        "of a DPT or a Depth Anything that predicts inverse relative depth.",
    )

    @model_validator(mode="after")
    def _transformers(self) -> Self:
        # Checked here, and not by importing it later, so that nothing is downloaded in vain.
        if find_spec("transformers") is None:
            raise ValueError(
                "`midas` needs the package transformers, which is not installed: "
                "pip install 'instyle[depth]'"
            )
        return self

    def layers(self) -> Mapping[str, int]:
        """``depth`` alone, at every pixel."""
        return {LAYER: 1}

    def pretrained(self) -> Sequence[Weights]:
        return () if os.path.isabs(self.model) else (PUBLISHED[self.model],)


Reduction = Literal["relative", "mean", "sum"]


class DepthParams(LossParams):
    """The parameters of ``depth``."""

    extractor: str = Field(
        default="midas",
        description="What estimates the depth: the name of an extractor with a layer `depth`, or "
        "of an entry of the spec's `extractors`.",
    )
    normalize: bool = Field(
        default=True,
        description="Whether each map is first brought to a mean of 0 and a standard deviation of "
        "1 over the object. Its scale and shift mean nothing, and differ from picture to picture "
        "and from network to network. `false` compares it as it is, as in the paper.",
    )
    reduction: Reduction = Field(
        default="relative",
        description="`relative`: the squared error over the energy of what is compared with, which "
        "has no unit and does not depend on size or network. `mean`: the mean squared error; with "
        "`normalize`, the same. `sum`: the sum of squared errors.",
    )

    def reads(self) -> Mapping[str, Sequence[str]]:
        return {self.extractor: (LAYER,)}
