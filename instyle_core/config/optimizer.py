"""The optimizers that a spec can name, with their settings."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from instyle_core.interfaces.messages import shown
from instyle_core.interfaces.params import Params


def words_or_number(*words: str, start: int) -> BeforeValidator:
    """One error for a union of words and numbers; pydantic would give one for each member."""

    def check(value: Any) -> Any:
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= start
        if not (whole or value in words):
            right = f"{', '.join(map(repr, words))} or a whole number from {start} on"
            raise ValueError(f"should be {right}; it is {shown(value)}")
        return value

    return BeforeValidator(check)


def _optimizer(value: Any) -> Any:
    return {"use": "adam", **value} if isinstance(value, dict) else value


Tolerance = Annotated[
    float,
    Field(
        ge=0,
        lt=1,
        description="Ends the work at a size before its last step, once 20 steps have lowered the "
        "objective by less than this fraction of it; 0 for never.",
    ),
]

Scales = Annotated[Literal["auto"] | Annotated[int, Field(ge=1)], words_or_number("auto", start=1)]


Parametrization = Annotated[
    Literal["pyramid", "pixels"],
    Field(
        description="What is moved: the levels of a Laplacian pyramid, so that large areas change "
        "as quickly as single pixels at any size; or each pixel by itself.",
    ),
]


class Drop(Params):
    """A learning rate that falls once."""

    after: int = Field(ge=1, description="The last step before it falls, counted over all scales.")
    to: float = Field(gt=0, le=10, description="The learning rate of the steps after that.")


class Adam(Params):
    """Adam (Kingma and Ba 2015). Pixels are clamped after each step."""

    use: Literal["adam"] = Field("adam", description="The optimizer.")
    steps: int = Field(200, ge=1, le=100_000, description="Steps in all, over all scales.")
    scales: Scales = Field(
        "auto",
        description="Coarse to fine: the number of sizes, each with twice the pixels of the one "
        "before; auto starts at a long side near 64 pixels.",
    )
    parametrization: Parametrization = "pyramid"
    tolerance: Tolerance = 0.0
    learning_rate: float = Field(0.01, gt=0, le=10, description="Step size, in units of `space`.")
    decay: float = Field(
        0.5,
        ge=0,
        le=1,
        description="The last part of the steps, over which the learning rate falls to 0 step by "
        "step: strokes settle, and grain goes.",
    )
    drop: Drop | None = Field(
        None, description="Lets the learning rate fall, such as {after: 180, to: 0.1}."
    )
    weight_decay: float = Field(0.0, ge=0, le=10, description="L2 penalty on the pixels.")
    space: Literal["rgb", "imagenet"] = Field(
        "rgb",
        description="What the pixels are measured in: `rgb`, from 0 to 1; or `imagenet`, "
        "normalized by ImageNet's mean and standard deviation and clamped to [-1.5, 1.5], as in "
        "the paper's code.",
    )

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 1."""
        rate = self.drop.to if self.drop and step > self.drop.after else self.learning_rate
        falling = self.decay * self.steps
        left = self.steps + 1 - step
        return rate * min(1.0, left / falling) if falling else rate


class LBFGS(Params):
    """L-BFGS (Liu and Nocedal 1989) with a strong Wolfe line search."""

    # Without this, an optimizer that leaves `use` out would fit both models of the schema.
    model_config = ConfigDict(json_schema_extra={"required": ["use"]})

    use: Literal["lbfgs"] = Field("lbfgs", description="The optimizer.")
    steps: int = Field(100, ge=1, le=100_000, description="Iterations in all, over all scales.")
    scales: Scales = Field("auto", description="Coarse to fine, as for adam.")
    parametrization: Parametrization = "pyramid"
    tolerance: Tolerance = 0.0
    learning_rate: float = Field(1.0, gt=0, le=10, description="Length of the first trial step.")
    history: int = Field(10, ge=1, le=1000, description="Curvature pairs that are kept.")

    space: ClassVar[Literal["rgb"]] = "rgb"
    weight_decay: ClassVar[float] = 0.0

    def learning_rate_at(self, step: int) -> float:
        """The length of the first trial of a step, which is always the same."""
        del step
        return self.learning_rate


Optimizer = Annotated[Adam | LBFGS, Field(discriminator="use"), BeforeValidator(_optimizer)]
