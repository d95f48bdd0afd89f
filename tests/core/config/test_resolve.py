"""``{use: NAME, ...}``: the plugin that it means, its parameters, and what the spec adds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import AliasChoices, Field, TypeAdapter, ValidationError

from instyle_core import ExtractorParams, LossParams, Params, Plugin, SegmenterParams
from instyle_core.config.resolve import OfKind, resolve
from instyle_core.plugin.registry import Registry
from instyle_core.plugin.use import Use
from tests.core.helpers.site import Site, module, record, source_of
from tests.core.helpers.specs import SPEC, load


class DotsParams(LossParams):
    color: float = Field(0.5, validation_alias=AliasChoices("color", "colour"))
    steps: int = Field(3, deprecated="use `color`")
    layers: tuple[str, ...] = ()

    def reads(self) -> Mapping[str, Sequence[str]]:
        return {"maps": self.layers} if self.layers else {}


class MapsParams(ExtractorParams):
    depth: int = Field(1, validation_alias=AliasChoices("depth", "levels"))

    def layers(self) -> Mapping[str, int]:
        return {f"map{number}": 2 for number in range(self.depth)}


class CutParams(SegmenterParams):
    @classmethod
    def refiner(cls) -> str:
        return "sharpen"


class SharpenParams(Params):
    amount: int = Field(1, ge=0, validation_alias=AliasChoices("amount", "much"))


PLUGINS = [
    Plugin("loss", "dots", DotsParams, "a:B", "Dots."),
    Plugin("extractor", "maps", MapsParams, "a:B", "Maps."),
    Plugin("segmenter", "cut", CutParams, "a:B", "Cuts."),
    Plugin("segmenter", "plain", Params, "a:B", "Cuts."),
    Plugin("refiner", "sharpen", SharpenParams, "a:B", "Sharpens."),
]


def context(**extractors: Any) -> dict[str, Any]:
    registry = Registry([source_of("instyle", *PLUGINS), source_of("Other_Dots", PLUGINS[0])])
    return {"registry": registry, "folder": Path(), "extractors": extractors, "notes": []}


def refused(kind: str, value: Any, **extractors: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        resolve(kind, value, context(**extractors))
    return [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in caught.value.errors()]


@pytest.mark.parametrize(
    ("value", "params", "weight"),
    [
        ("dots", {}, 1),
        ({"use": "dots"}, {}, 1),
        ({"use": "dots", "weight": 3}, {}, 3),
        ({"use": "instyle:dots", "color": 1, "weight": 0}, {"color": 1}, 0),
    ],
)
def test_a_name_with_parameters(value: Any, params: dict[str, Any], weight: float) -> None:
    use = resolve("loss", value, context())
    assert use.plugin is PLUGINS[0]
    assert use.params == DotsParams(**params)
    assert use.weight == weight
    assert use.distribution == "instyle 1.0"
    assert resolve("loss", use, {}) is use


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("loss", 3, ": should name the loss, such as {use: NAME}; it is 3"),
        ("merger", None, ": should name the merger, such as {use: NAME}; it is empty"),
        ("loss", {"weight": 1}, ": missing key 'use', the name of the loss"),
        ("loss", {"use": 3}, ": missing key 'use', the name of the loss"),
        ("loss", "dotz", "use: no loss is called 'dotz'; did you mean 'dots'?"),
        ("loss", {"use": "dots", "weight": -1}, "weight: should be at least 0; it is -1"),
        (
            "loss",
            {"use": "dots", "wieght": 1},
            "wieght: unknown key 'wieght'; did you mean 'weight'?",
        ),
        (
            "loss",
            {"use": "dots", "x": 1},
            "x: unknown key 'x'; the keys here are weight, color, steps, layers",
        ),
        (
            "segmenter",
            {"use": "cut", "weight": 1},
            "weight: unknown key 'weight'; the keys here are refine",
        ),
        (
            "refiner",
            {"use": "sharpen", "refine": "none"},
            "refine: unknown key 'refine'; the keys here are amount",
        ),
        (
            "segmenter",
            {"use": "cut", "refine": "blur"},
            "refine.use: no refiner is called 'blur'; installed: sharpen",
        ),
        (
            "segmenter",
            {"use": "cut", "refine": {"use": "sharpen", "amount": -1}},
            "refine.amount: should be at least 0; it is -1",
        ),
        (
            "loss",
            {"use": "dots", "color": 1, "colour": 2},
            "colour: 'color' and 'colour' are names of one parameter; keep one",
        ),
        (
            "loss",
            {"use": "dots", "layers": ["map0", "map1"]},
            "layers.1: the extractor 'maps' has no layer 'map1'; it has map0",
        ),
    ],
)
def test_what_is_wrong(kind: str, value: Any, message: str) -> None:
    assert refused(kind, value) == [message]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    value = {"use": "dots", "weight": "much", "color": "red", "x": 1}
    assert len(refused("loss", value)) == 3


def test_layers_are_those_of_the_extractor_as_it_is_written() -> None:
    value = {"use": "dots", "layers": ["map2"]}
    written = {"maps": {"use": "maps", "depth": 3}}
    assert resolve("loss", value, context(**written)).params == DotsParams(layers=("map2",))
    assert len(refused("loss", value)) == 1


@pytest.mark.parametrize(
    ("value", "refiner"),
    [
        ("cut", "sharpen"),
        ("plain", None),
        ({"use": "cut", "refine": "none"}, None),
        ({"use": "plain", "refine": "sharpen"}, "sharpen"),
        ({"use": "plain", "refine": {"use": "instyle:sharpen", "amount": 2}}, "sharpen"),
    ],
)
def test_what_refines_the_masks(value: Any, refiner: str | None) -> None:
    use = resolve("segmenter", value, context())
    assert (use.refine.plugin.name if use.refine else None) == refiner
    assert resolve("segmenter", use.dump(), context()) == use


def test_notes_name_the_plugin() -> None:
    where = context(maps={"use": "maps", "levels": 1})
    resolve("loss", {"use": "dots", "colour": 1, "steps": 2, "layers": ["map0"]}, where)
    resolve("loss", {"use": "other-dots:dots", "colour": 1}, where)
    resolve("segmenter", {"use": "cut", "refine": {"use": "sharpen", "much": 1}}, where)
    assert where["notes"] == [
        "extractor 'maps': 'levels' is called 'depth' now",
        "loss 'dots': 'colour' is called 'color' now",
        "loss 'dots': 'steps' is deprecated: use `color`",
        "loss 'other-dots:dots': 'colour' is called 'color' now",
        "refiner 'sharpen': 'much' is called 'amount' now",
    ]


def test_a_field_of_a_model() -> None:
    adapter: TypeAdapter[Use | None] = TypeAdapter(Annotated[Use, OfKind("loss")] | None)
    use = adapter.validate_python("dots", context=context())
    assert isinstance(use, Use)
    assert adapter.validate_python(None, context=context()) is None
    assert adapter.dump_python(use) == use.dump()
    assert adapter.json_schema()["anyOf"][0] == {"plugin": "loss"}


# --- which of several packages --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["other-dots:dots", "Other.Dots:dots"])
def test_a_full_name_chooses_and_is_dumped(name: str) -> None:
    use = resolve("loss", name, context())
    assert use.distribution == "Other_Dots 1.0"
    assert use.dump()["use"] == "other-dots:dots"
    assert resolve("loss", use.dump(), context()) == use
    assert resolve("loss", "instyle:dots", context()).dump()["use"] == "dots"


def test_a_resolved_spec_chooses_the_same_plugins(site: Site, tmp_path: Path) -> None:
    for distribution in ("first", "second"):
        site.install(distribution, module(f"return [{record()}, {record(name=repr('tv'))}]"))
    for picture in ("photo.jpg", "painting.jpg"):
        (tmp_path / picture).touch()
    losses = "losses: [{use: first:dots, weight: 2}, second:dots, Second:tv, instyle:tv, content]\n"
    plan = load(tmp_path, SPEC + losses)
    owners = [use.distribution.split()[0] for use in plan.spec.losses]
    assert owners == ["first", "second", "second", "instyle", "instyle"]
    dumped = plan.dump()
    names = [loss["use"] for loss in dumped["losses"]]
    assert names == ["first:dots", "second:dots", "second:tv", "tv", "content"]
    again = load(tmp_path, json.dumps(dumped), name="a.json")
    assert again.spec.losses == plan.spec.losses
    assert yaml.safe_load("{use: first:dots}") == {"use": "first:dots"}


def test_a_plan_has_each_note_once(tmp_path: Path) -> None:
    for picture in ("photo.jpg", "painting.jpg"):
        (tmp_path / picture).touch()
    (tmp_path / "paintings").mkdir()
    (tmp_path / "paintings" / "a.jpg").touch()
    style = "{choose_from: paintings, ranker: {use: affinity, colour: 0.25}}"
    objects = f"objects: [{{style: {style}}}, {{style: {style}}}]\n"
    plan = load(tmp_path, SPEC + objects)
    assert plan.notes == ("ranker 'affinity': 'colour' is called 'color' now",)
    again = load(tmp_path, json.dumps(plan.dump()), name="a.json")
    assert again.notes == ()
    assert again.objects[0].style == plan.objects[0].style
    assert again.objects[0].style.ranker.params.color == 0.25
