"""The parameters of a plugin: checked before anything heavy is imported."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails

from instyle_core.interfaces.messages import in_words, problem, shown, unknown_keys

if TYPE_CHECKING:
    from instyle_core.weights.record import Weights

#: The largest number that a parameter can have, either way: in float32, the sum of its squares over
#: all pixels of a large picture is finite.
LARGEST = 1e12


class Params(BaseModel):
    """The parameters of a plugin, checked before anything heavy is imported.

    Give every field a default where there is a good one, a description, bounds and units.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def spec_keys(cls) -> dict[str, str]:
        """The keys that a spec can set, each with the name that its parameter has now.

        The two differ for an old name: ``validation_alias=AliasChoices("new", "old")``.
        """
        return {key: keys[0] for _, keys in cls._parameters() for key in keys}

    @classmethod
    def _parameters(cls) -> Iterator[tuple[FieldInfo, list[str]]]:
        """Each parameter with the keys that set it: first the name that it has now."""
        for name, field in cls.model_fields.items():
            alias = field.validation_alias or name
            names = alias.choices if isinstance(alias, AliasChoices) else [alias]
            yield field, [str(n if isinstance(n, str) else n.path[0]) for n in names]

    @model_validator(mode="wrap")
    @classmethod
    def _in_plain_words(cls, data: Any, handler: Any, info: ValidationInfo) -> Any:
        """Say what is wrong in plain words, and of an unknown key which one is near."""
        if not isinstance(data, dict):
            return handler(data)
        keys = cls.spec_keys()
        problems = unknown_keys(data, keys)
        given: dict[str, str] = {}  # by the name that the parameter has now
        for key in (key for key in data if key in keys):
            if given.setdefault(keys[key], key) != key:
                both = f"'{given[keys[key]]}' and '{key}' are names of one parameter; keep one"
                problems.append(problem(both, (key,), data[key]))
        try:
            result = handler({key: data[key] for key in given.values()})
        except ValidationError as error:
            problems += [problem(in_words(e), e["loc"], e["input"]) for e in error.errors()]
        except UnicodeEncodeError:
            problems += _not_unicode(data)
        told = [found["loc"] for found in problems]
        problems += [found for found in _too_large(data) if found["loc"] not in told]
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        if info.context:
            info.context.get("notes", []).extend(cls._notes(given))
        return result

    @classmethod
    def _notes(cls, given: Mapping[str, str]) -> list[str]:
        """What to tell of old names and of deprecated parameters that are still in use."""
        notes = [f"'{key}' is called '{now}' now" for now, key in given.items() if key != now]
        for field, (now, *_) in cls._parameters():
            if field.deprecated and now in given:
                reason = "" if field.deprecated is True else f": {field.deprecation_message}"
                notes.append(f"'{given[now]}' is deprecated{reason}")
        return notes

    def pretrained(self) -> Sequence[Weights]:
        """The weights that will be loaded with these parameters; fetched before a run begins."""
        return ()


def _not_unicode(data: Mapping[str, Any]) -> list[InitErrorDetails]:
    """Values that pydantic could not repeat in an error: names of files that are not there."""
    what = "is no text in UTF-8, nor the name of a file that is there"
    wrong = [key for key, value in data.items() if not _is_unicode(value)]
    found = [problem(f"{shown(data[key])} {what}", (key,)) for key in wrong]
    return found or [problem(f"a text {what}", ())]


def _is_unicode(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_large(data: Mapping[str, Any]) -> Iterator[InitErrorDetails]:
    """Numbers that networks could not compute with, though they are finite."""
    for key, value in data.items():
        for place, number in enumerate(value if isinstance(value, list | tuple) else [value]):
            if isinstance(number, int | float) and LARGEST < abs(number) < math.inf:
                location = (key,) if number is value else (key, place)
                what = f"should be a number of at most {LARGEST:g} in size; it is {shown(number)}"
                yield problem(what, location, value)


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
    """The parameters of a segmenter; they also tell what it needs and what it finds.

    For one whose answers would be the defaults, `Params` will do.
    """

    @classmethod
    def refiner(cls) -> str | None:
        """The name of the refiner that is used where a spec does not say; None for none."""
        return None

    def needs(self) -> Sequence[str]:
        """The keys of `select` of which an object has to have one: of ``class``, ``point``, ``box``
        and ``text``.

        Empty, the default, for a segmenter that finds objects by itself.
        """
        return ()

    def finds(self) -> Sequence[str] | None:
        """The classes of the objects that it can find, without ``background``.

        None, the default, where only the loaded network knows them.
        """
        return None
