"""The JSON Schema of specs, with made-up plugins, and its keys as they are shown to people."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import AliasChoices, Field, TypeAdapter

from instyle_core import LossParams, Params, Plugin, SegmenterParams
from instyle_core.config.schema import rows, spec_schema
from instyle_core.plugin.registry import Registry
from tests.core.helpers.site import source_of


class DotsParams(LossParams):
    """Another class of that name is in another package."""

    size: int = Field(3, ge=1, lt=9, description="Of a dot.")


class NeedyParams(LossParams):
    color: str = Field(validation_alias=AliasChoices("color", "colour"))


class Inner(LossParams):
    depth: int = 1


class NestedParams(LossParams):
    inner: Inner = Inner()


class SharpenParams(Params):
    amount: int = 1


class CutParams(SegmenterParams):
    @classmethod
    def refiner(cls) -> str:
        return "sharpen"


DOTS = Plugin("loss", "dots", DotsParams, "a:B", "Dots.")
NEEDY = Plugin("loss", "needy", NeedyParams, "a:B", "Needs a color.")
NESTED = Plugin("loss", "nested", NestedParams, "a:B", "Nests.")
CUT = Plugin("segmenter", "cut", CutParams, "a:B", "Cuts.")
SHARPEN = Plugin("refiner", "sharpen", SharpenParams, "a:B", "Sharpens.")
SOURCES = [
    source_of("instyle", DOTS, CUT, SHARPEN),
    source_of("one", DOTS, NESTED),
    source_of("two", DOTS, NEEDY),
    source_of("three", NESTED),
]
SCHEMA = spec_schema(Registry(SOURCES))


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        ("loss", "dots", True),
        ("loss", "instyle:dots", True),
        ("loss", "one:dots", True),
        ("loss", "two:dots", True),
        ("loss", "three:dots", False),
        ("loss", {"use": "two:dots", "size": 4, "weight": 2}, True),
        ("loss", {"use": "two:dots", "size": 9}, False),
        # Two packages have it, so that the name alone means neither.
        ("loss", "nested", False),
        ("loss", "one:nested", True),
        ("loss", {"use": "three:nested", "inner": {"depth": 2}}, True),
        ("loss", {"use": "three:nested", "inner": {"deep": 2}}, False),
        ("loss", "needy", False),
        ("loss", "two:needy", False),
        ("loss", {"use": "needy", "color": "red"}, True),
        ("loss", {"use": "two:needy", "color": "red"}, True),
        ("loss", {"use": "dots", "refine": "none"}, False),
        ("segmenter", {"use": "cut", "refine": "none"}, True),
        ("segmenter", {"use": "cut", "refine": {"use": "sharpen", "amount": 2}}, True),
        ("segmenter", {"use": "cut", "refine": "instyle:sharpen"}, True),
        ("segmenter", {"use": "cut", "weight": 1}, False),
        ("merger", "dots", False),
    ],
)
def test_plugins_by_each_of_their_names(kind: str, value: Any, fits: bool) -> None:
    only = {"$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]}
    Draft202012Validator.check_schema(only)
    assert Draft202012Validator(only).is_valid(value) == fits


def test_what_a_segmenter_is_refined_by_is_told() -> None:
    (cut,) = SCHEMA["$defs"]["segmenter"]["anyOf"][1:]
    assert cut["properties"]["refine"]["default"] == "sharpen"


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (int, "whole number"),
        (float, "number"),
        (bool, "true or false"),
        (str, "text"),
        (list[int], "list of whole number"),
        (tuple[float, float], "2 of number"),
        (dict[str, int], "mapping to whole number"),
        (int | None, "whole number"),
        (int | str, "whole number or text"),
    ],
)
def test_types_in_words(kind: Any, shown: str) -> None:
    schema = {"properties": {"x": TypeAdapter(kind).json_schema()}}
    assert rows(schema) == [("x", shown, "", "")]


def test_keys_with_bounds_defaults_and_meaning() -> None:
    assert rows(DotsParams.model_json_schema()) == [
        ("size", "whole number >= 1, < 9", "3", "Of a dot.")
    ]
    assert rows(NeedyParams.model_json_schema()) == [("color", "text", "(needed)", "")]
