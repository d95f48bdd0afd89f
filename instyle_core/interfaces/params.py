"""The parameters of a plugin: checked before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from instyle_core.interfaces.messages import in_words, problem, unknown_keys

if TYPE_CHECKING:
    from instyle_core.weights.record import Weights


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


class SegmenterParams(Params):
    """The parameters of a segmenter whose masks gain by a refiner; for others, `Params` will do."""

    @classmethod
    def refiner(cls) -> str | None:
        """The name of the refiner that is used where a spec does not say; None for none."""
        return None
