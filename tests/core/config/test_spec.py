"""What may stand in a spec and what is said of the rest, with plugins of the test's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from instyle_core import ExtractorParams, InputFile, LossParams, Params, Plugin, hookimpl, testing
from instyle_core.config import plan
from instyle_core.config.document import Document
from instyle_core.config.optimizer import LBFGS, Adam
from instyle_core.errors import InputError, SpecError
from instyle_core.interfaces.messages import shown
from instyle_core.plugin.registry import Registry

# --- plugins --------------------------------------------------------------------------------------


class CutParams(Params):
    threshold: float = Field(0.5, gt=0, lt=1)
    file: InputFile | None = None


class DotsParams(ExtractorParams):
    depth: int = Field(3, ge=1, le=40)

    def layers(self) -> Mapping[str, int]:
        return {f"dots{number}": 2**number for number in range(1, self.depth + 1)}


class Band(Params):
    low: int
    high: int = 9


class TintParams(LossParams):
    extractor: str = "dots"
    layers: Annotated[tuple[str, ...], Field(min_length=1, max_length=3)] = ("dots1",)
    strength: float = Field(1.0, ge=0, le=2)
    mode: Literal["soft", "hard", "none"] = "soft"
    grain: bool = False
    bands: dict[str, Band] = Field({}, alias="by-name")
    pair: tuple[int, int] = (0, 0)

    def reads(self) -> Mapping[str, Sequence[str]]:
        return {self.extractor: self.layers}


class FlatParams(LossParams):
    """Reads nothing, and has nothing to set."""


class PasteParams(Params):
    width: int
    corner: Annotated[str, Field(pattern="^[a-z]+$")] = "round"


RECORDS = [
    Plugin("segmenter", "cut", CutParams, "nowhere:Cut", "Cuts."),
    Plugin("extractor", "dots", DotsParams, "nowhere:Dots", "Dots."),
    Plugin("loss", "tint", TintParams, "nowhere:Tint", "Tints."),
    Plugin("loss", "flat", FlatParams, "nowhere:Flat", "Flattens."),
    Plugin("merger", "paste", PasteParams, "nowhere:Paste", "Pastes."),
]

PRESETS = {
    "default": "losses: [{use: tint, weight: 3}]\nmerger: {use: paste, width: 4}\n",
    "left_out": "by-class: cut\nby-pointing: {use: cut, threshold: 0.75}\n",
}

SPEC = """\
version: 1
content: photo.jpg
output: out.png
style: painting.jpg
"""


@pytest.fixture(autouse=True)
def _preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "preset_text", PRESETS.__getitem__)


@pytest.fixture(scope="module")
def registry() -> Registry:
    module = ModuleType("instyle_fakes")
    setattr(module, "instyle_plugins", hookimpl(lambda: RECORDS, specname="instyle_plugins"))  # noqa: B010
    return testing.registry(module)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Validation looks whether files are there, not into them."""
    folder = tmp_path_factory.mktemp("spec")
    for name in ("photo.jpg", "painting.jpg", "other.jpg", "mask.png"):
        (folder / name).touch()
    return folder


class Checker:
    def __init__(self, folder: Path, registry: Registry) -> None:
        self.folder = folder
        self.registry = registry

    def plan(self, text: str) -> plan.Plan:
        return plan.make(Document.parse(text, "a.yaml", self.folder), self.registry)

    def problems(self, text: str) -> list[str]:
        """Every error, as ``line: what``."""
        with pytest.raises(SpecError) as caught:
            self.plan(text)
        return [
            f"{(problem.where or '').removeprefix('a.yaml:')}: {problem.what}"
            for problem in caught.value.problems
        ]


@pytest.fixture
def check(folder: Path, registry: Registry) -> Checker:
    return Checker(folder, registry)


# --- what is right --------------------------------------------------------------------------------


def test_what_is_left_out_is_as_in_the_preset(check: Checker, folder: Path) -> None:
    made = check.plan(SPEC)
    assert made.objects == ()
    assert made.whole is not None
    assert made.whole.segmenter.params == CutParams()
    assert [(use.plugin.name, use.weight) for use in made.whole.losses] == [("tint", 3.0)]
    assert made.whole.merger.params == PasteParams(width=4)
    assert made.whole.style.images == [folder / "painting.jpg"]
    assert made.spec.optimizer == Adam()
    assert {name: use.params for name, use in made.extractors.items()} == {"dots": DotsParams()}
    assert made.inputs == (folder / "photo.jpg", folder / "painting.jpg")


@pytest.mark.parametrize(
    ("select", "threshold"),
    [
        ("{}", CutParams().threshold),
        ("{class: cat}", CutParams().threshold),
        ("{class: cat, box: [0, 1, 2, 3]}", CutParams().threshold),
        ("{box: [0, 1, 2, 3]}", 0.75),
        ("{point: [0, 1]}", 0.75),
        ("{point: [0, 0], instance: all}", 0.75),
    ],
)
def test_the_segmenter_depends_on_how_the_object_is_told(
    check: Checker, select: str, threshold: float
) -> None:
    made = check.plan(f"{SPEC}objects: [{{select: {select}}}]\n")
    (item,) = made.objects
    assert item.segmenter.params == CutParams(threshold=threshold)
    assert made.dump()["objects"][0]["segmenter"]["threshold"] == threshold


@pytest.mark.parametrize("key", ["segmenter", "losses", "merger", "objects", "style", "extractors"])
def test_a_key_with_nothing_behind_it_is_left_out(check: Checker, key: str) -> None:
    text = SPEC if key == "style" else f"{SPEC}{key}:\n"
    objects = "objects: [{style: painting.jpg}]\n"
    text = text.replace("style: painting.jpg\n", f"style:\n{objects}") if key == "style" else text
    if key == "extractors":
        assert check.problems(text) == [
            "5: extractors: should be a mapping, such as {key: value}; it is empty"
        ]
    else:
        assert check.plan(text).spec.merger.params == PasteParams(width=4)


def test_objects_take_what_they_leave_out_from_the_top_level(check: Checker) -> None:
    made = check.plan(
        SPEC
        + """\
segmenter: {use: cut, threshold: 0.25}
losses: [flat]
objects:
  - select: {class: cat, instance: all}
  - segmenter: cut
    style: {images: [other.jpg, painting.jpg], weights: [2, 1], scale: 0.5}
    losses: [{use: tint, layers: [dots2]}, {use: flat, weight: 0}]
    merger: {use: paste, width: 7}
"""
    )
    first, second = made.objects
    assert made.whole is None
    assert first.segmenter.params == CutParams(threshold=0.25)
    assert [use.plugin.name for use in first.losses] == ["flat"]
    assert (first.select.class_name, first.select.instance) == ("cat", "all")
    assert [path.name for path in first.style.images] == ["painting.jpg"]
    assert second.segmenter.params == CutParams()
    assert second.style.weights == [2, 1]
    # A weight of 0 turns a loss off.
    assert [(use.plugin.name, use.weight) for use in second.losses] == [("tint", 1)]
    assert second.merger.params == PasteParams(width=7)


def test_extractors_with_names_of_their_own(check: Checker) -> None:
    made = check.plan(
        SPEC
        + """\
extractors: {deep: {use: dots, depth: 20}, unused: dots}
losses:
  - {use: tint, extractor: deep, layers: [dots20]}
  - {use: tint}
"""
    )
    assert {name: use.params for name, use in made.extractors.items()} == {
        "deep": DotsParams(depth=20),
        "dots": DotsParams(),
    }


def test_the_plain_name_of_an_extractor_can_be_given_parameters(check: Checker) -> None:
    lines = "extractors: {dots: {use: dots, depth: 9}}\nlosses: [{use: tint, layers: [dots9]}]\n"
    made = check.plan(SPEC + lines)
    assert made.extractors["dots"].params == DotsParams(depth=9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", Adam()),
        ("{steps: 1e2}", Adam(steps=100)),
        ("{use: adam, scales: 3}", Adam(scales=3)),
        ("{use: lbfgs, history: 3}", LBFGS(history=3)),
    ],
)
def test_optimizers(check: Checker, text: str, expected: Adam | LBFGS) -> None:
    assert check.plan(f"{SPEC}optimizer: {text}").spec.optimizer == expected


@pytest.mark.parametrize(
    "line",
    [
        "size: 1e3",
        "seed: 4294967295",
        "margin: 0",
        "start: noise",
        "start: other.jpg",
        "device: cuda:1",
        "objects: [{select: {instance: 3, point: [1, 2], box: [0, 1, 2, 3]}}]",
        "losses: [{use: tint, weight: 1e-3, grain: true, by-name: {a: {low: 1}}}]",
        "losses: [{use: flat, weight: 0}, {use: flat}]",
        "output: sub/../x.TIFF",
    ],
)
def test_these_are_fine(check: Checker, folder: Path, line: str) -> None:
    (folder / "sub").mkdir(exist_ok=True)
    key = line.partition(":")[0]
    text = "".join(old for old in SPEC.splitlines(keepends=True) if not old.startswith(f"{key}:"))
    assert check.plan(text + line)


# --- what is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "what"),
    [
        # unknown keys, at every level
        ("sieze: 3", "sieze: unknown key 'sieze'; did you mean 'size'?"),
        ("1: 3", "1: unknown key '1'; the keys here are version, content, ..."),
        ("objects: [{styel: a}]", "objects.0.styel: unknown key 'styel'; did you mean 'style'?"),
        (
            "objects: [{select: {clas: cat}}]",
            "objects.0.select.clas: unknown key 'clas'; did you mean 'class'?",
        ),
        (
            "objects: [{select: {class_name: cat}}]",
            "objects.0.select.class_name: unknown key 'class_name'; did you mean 'class'?",
        ),
        (
            "objects: [{style: {images: [painting.jpg], weight: [1]}}]",
            "objects.0.style.weight: unknown key 'weight'; did you mean 'weights'?",
        ),
        (
            "optimizer: {use: lbfgs, histry: 3}",
            "optimizer.histry: unknown key 'histry'; did you mean 'history'?",
        ),
        ("optimizer: {stps: 3}", "optimizer.stps: unknown key 'stps'; did you mean 'steps'?"),
        (
            "segmenter: {use: cut, treshold: 0.5}",
            "segmenter.treshold: unknown key 'treshold'; did you mean 'threshold'?",
        ),
        (
            "losses: [{use: tint, wieght: 2}]",
            "losses.0.wieght: unknown key 'wieght'; did you mean 'weight'?",
        ),
        (
            "losses: [{use: flat, color: 2}]",
            "losses.0.color: unknown key 'color'; the keys here are weight",
        ),
        (
            "losses: [{use: tint, by-name: {a: {low: 1, hihg: 2}}}]",
            "losses.0.by-name.a.hihg: unknown key 'hihg'; did you mean 'high'?",
        ),
        (
            "losses: [{use: tint, bands: {}}]",
            "losses.0.bands: unknown key 'bands'; the keys here are weight, extractor, layers, ...",
        ),
        # unknown plugins
        ("losses: [tnt]", "losses.0: no loss is called 'tnt'; did you mean 'tint'?"),
        (
            "losses: [cut]",
            "losses.0: no loss is called 'cut'; 'cut' is ...",
        ),
        (
            "merger: {use: x}",
            "merger.use: no merger is called 'x'; installed: paste",
        ),
        (
            "objects: [{segmenter: {use: cutt}}]",
            "objects.0.segmenter.use: no segmenter is called 'cutt'; did you mean 'cut'?",
        ),
        (
            "extractors: {mine: {use: dot}}",
            "extractors.mine.use: no extractor is called 'dot'; did you mean 'dots'?",
        ),
        (
            "losses: [{use: tint, extractor: dot}]",
            "losses.0.extractor: no extractor is called 'dot'; did you mean 'dots'?",
        ),
        # what should be a plugin
        ("merger: 3", "merger: should name the merger, such as {use: NAME}; it is 3"),
        ("segmenter: []", "segmenter: should name the segmenter, such as {use: NAME}; it is []"),
        ("merger: {width: 3}", "merger: missing key 'use', the name of the merger"),
        ("merger: {use: 3, width: 3}", "merger: missing key 'use', the name of the merger"),
        (
            "extractors: {mine: }",
            "extractors.mine: should name the extractor, such as {use: NAME}; it is empty",
        ),
        ("losses: {use: tint}", "losses: should be a list, such as [a, b]; it is a mapping"),
        ("losses: tint", "losses: should be a list, such as [a, b]; it is 'tint'"),
        # types
        ("size: big", "size: should be a whole number; it is 'big'"),
        ("size: 1e4x", "size: should be a whole number; it is '1e4x'"),
        ("size: 512.5", "size: should be a whole number; it is 512.5"),
        ("size: [512]", "size: should be a whole number; it is [512]"),
        ("size:", "size: should be a whole number; it is empty"),
        ("margin: wide", "margin: should be a number; it is 'wide'"),
        ("margin: {a: 1}", "margin: should be a number; it is a mapping"),
        ("margin: .inf", "margin: should be a finite number; it is inf"),
        ("device: 0", "device: should be a text, in quotes if need be; it is 0"),
        ("content: 5", "content: should be the name of a file; it is 5"),
        ("output: [a.png]", "output: should be the name of a file; it is ['a.png']"),
        ("objects: cat", "objects: should be a list, such as [a, b]; it is 'cat'"),
        ("objects: [cat]", "objects.0: should be a mapping, such as {key: value}; it is 'cat'"),
        (
            "objects: [{select: cat}]",
            "objects.0.select: should be a mapping, such as {key: value}; it is 'cat'",
        ),
        (
            "objects: [{select: {class: no}}]",
            "objects.0.select.class: should be a text, in quotes if need be; it is false",
        ),
        ("style: 5", "style: should be a mapping, such as {key: value}; it is 5"),
        (
            "style: {images: painting.jpg}",
            "style.images: should be a list, such as [a, b]; it is 'painting.jpg'",
        ),
        ("optimizer: adam", "optimizer: should be a mapping, such as {key: value}; it is 'adam'"),
        ("start: 5", "start: should be 'content', 'noise' or the name of a picture; it is 5"),
        (
            "losses: [{use: tint, grain: maybe}]",
            "losses.0.grain: should be true or false; it is 'maybe'",
        ),
        (
            "losses: [{use: tint, layers: dots1}]",
            "losses.0.layers: should be a list, such as [a, b]; it is 'dots1'",
        ),
        ("losses: [{use: tint, weight: x}]", "losses.0.weight: should be a number; it is 'x'"),
        # bounds
        ("version: 2", "version: should be 1; it is 2"),
        ("size: 31", "size: should be at least 32; it is 31"),
        ("size: 1e9", "size: should be at most 16384; it is 1000000000"),
        ("margin: -0.5", "margin: should be at least 0; it is -0.5"),
        ("max_megapixels: 0", "max_megapixels: should be above 0; it is 0"),
        (f"seed: {2**32}", f"seed: should be at most {2**32 - 1}; it is {2**32}"),
        (
            "precision: half",
            "precision: should be 'auto', 'float32', 'bfloat16' or 'float16'; it is 'half'",
        ),
        (
            "device: gpu",
            "device: should be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'; it is 'gpu'",
        ),
        ("optimizer: {use: sgd}", "optimizer: 'use' should be one of 'adam', 'lbfgs'; it is 'sgd'"),
        (
            "optimizer: {scales: 0}",
            "optimizer.scales: should be 'auto' or a whole number from 1 on; it is 0",
        ),
        (
            "optimizer: {use: lbfgs, learning_rate: 0}",
            "optimizer.learning_rate: should be above 0; it is 0",
        ),
        (
            "segmenter: {use: cut, threshold: 1.0}",
            "segmenter.threshold: should be below 1; it is 1",
        ),
        (
            "losses: [{use: tint, mode: loud}]",
            "losses.0.mode: should be 'soft', 'hard' or 'none'; it is 'loud'",
        ),
        (
            "objects: [{select: {instance: -1}}]",
            "objects.0.select.instance: should be 'largest', 'all' or a whole number from 0 on; "
            "it is -1",
        ),
        (
            "objects: [{select: {point: [5]}}]",
            "objects.0.select.point: should be [x, y] in pixels; it is [5]",
        ),
        (
            "objects: [{select: {point: [5, x]}}]",
            "objects.0.select.point.1: should be a whole number; it is 'x'",
        ),
        (
            "objects: [{select: {box: [1, 2, 3, 4, 5]}}]",
            "objects.0.select.box: should be [x0, y0, x1, y1] in pixels; it is [1, 2, 3, 4, 5]",
        ),
        ("objects: []", "objects: should have at least 1 entry; it has 0"),
        ("losses: []", "losses: should have at least 1 entry; it has 0"),
        ("style: {images: []}", "style.images: should have at least 1 entry; it has 0"),
        (
            "losses: [{use: tint, layers: [dots1, dots1, dots1, dots2]}]",
            "losses.0.layers: should have at most 3 entries; it has 4",
        ),
        (
            "merger: {use: paste, width: 3, corner: A}",
            "merger.corner: should match the pattern ^[a-z]+$; it is 'A'",
        ),
        ("losses: [{use: tint, pair: [1]}]", "losses.0.pair: missing entry '1'"),
        # files and pictures
        ("content: x.jpg", "content: no such file: {folder}/x.jpg"),
        ("content: .", "content: this is a folder, not a file: {folder}"),
        ("content: ~nobody-at-all/x.jpg", "content: no such file: {folder}/~nobody-at-all/x.jpg"),
        (f"start: {'x' * 300}.jpg", "start: no such file: {folder}/xxxxx..."),
        ("style: x.jpg", "style: no such file: {folder}/x.jpg"),
        (
            "style: {images: [painting.jpg, x.jpg]}",
            "style.images.1: no such file: {folder}/x.jpg",
        ),
        ("start: contents", "start: no such file: {folder}/contents"),
        ("segmenter: {use: cut, file: x}", "segmenter.file: no such file: {folder}/x"),
        (
            "output: out.gif",
            "output: '.gif' names no picture format that can be written; use one of .png .jpg ...",
        ),
        ("output: out", "output: a name without a suffix names no picture format that can be ..."),
        ("output: no/out.png", "output: there is no folder {folder}/no; create it, or ..."),
        # weights
        ("losses: [{use: tint, weight: -1}]", "losses.0.weight: should be at least 0; it is -1"),
        (
            "losses: [{use: tint, weight: 0}, {use: flat, weight: 0}]",
            "losses: no loss has a weight above 0, so that there is nothing to minimize",
        ),
        (
            "objects: [{losses: [{use: flat, weight: 0}]}]",
            "objects.0.losses: no loss has a weight above 0, so that there is nothing to minimize",
        ),
        (
            "style: {images: [painting.jpg, other.jpg], weights: [1]}",
            "style.weights: should be one for each of 2 pictures; there are 1",
        ),
        (
            "style: {images: [painting.jpg], weights: [0]}",
            "style.weights.0: should be above 0; it is 0",
        ),
        # layers
        (
            "losses: [{use: tint, layers: [dots4]}]",
            "losses.0.layers.0: the extractor 'dots' has no layer 'dots4'; it has dots1, dots2, "
            "dots3",
        ),
        (
            "extractors: {deep: {use: dots, depth: 20}}\n"
            "losses: [{use: tint, extractor: deep, layers: [dots21]}]",
            "losses.0.layers.0: the extractor 'deep' has no layer 'dots21'; it has dots1, dots2, "
            "dots3, dots4, ... dots19, dots20",
        ),
        # missing keys
        ("merger: paste", "merger: missing key 'width'"),
        (
            "losses: [{use: tint, by-name: {a: {}}}]",
            "losses.0.by-name.a: missing key 'low'",
        ),
        ("style: {scale: 2}", "style: missing key 'images', or 'choose_from' with a folder"),
    ],
)
def test_each_error_says_what_would_be_right(
    check: Checker, folder: Path, line: str, what: str
) -> None:
    """The line is the last one of the spec, in place of the one with its key; ... cuts it short."""
    key = line.partition(":")[0]
    lines = [old for old in SPEC.splitlines() if not old.startswith(f"{key}:")] + line.split("\n")
    (problem,) = check.problems("\n".join(lines))
    expected = f"{len(lines)}: {what}".replace("{folder}", str(folder))
    if expected.endswith("..."):
        assert problem.startswith(expected.removesuffix("..."))
    else:
        assert problem == expected


@pytest.mark.parametrize("key", ["version", "content", "output", "style"])
@pytest.mark.parametrize("leave_blank", [False, True])
def test_missing_keys(check: Checker, key: str, leave_blank: bool) -> None:
    lines = [
        (f"{key}:" if leave_blank else "# gone") if line.startswith(key) else line
        for line in SPEC.splitlines()
    ]
    (problem,) = check.problems("\n".join(lines))
    if key == "style" or not leave_blank:
        assert problem == f"{2 if lines[0] == '# gone' else 1}: missing key '{key}'"
    else:
        assert problem.startswith(f"{lines.index(f'{key}:') + 1}: {key}: should be ")
        assert problem.endswith("; it is empty")


def test_every_object_needs_a_style_from_somewhere(check: Checker) -> None:
    text = SPEC.replace("style: painting.jpg\n", "")
    text += "objects:\n  - style: other.jpg\n  - select: {class: cat}\n  - style:\n  - 3\n"
    assert check.problems(text) == [
        "6: objects.1: missing key 'style'",
        "7: objects.2: missing key 'style'",
        "8: objects.3: should be a mapping, such as {key: value}; it is 3",
    ]


def test_a_wrong_extractor_is_told_once_where_it_is_written(check: Checker) -> None:
    text = f"{SPEC}extractors: {{mine: {{use: dots, depth: 0}}}}\n"
    text += "losses: [{use: tint, extractor: mine}, {use: tint, extractor: mine}]\n"
    assert check.problems(text) == ["5: extractors.mine.depth: should be at least 1; it is 0"]


def test_the_loss_is_told_in_each_place_that_it_is_wrong(check: Checker) -> None:
    text = f"{SPEC}losses:\n  - use: tint\n    weight: -1\n    layers: [dots1, dots9]\n    x: 1\n"
    assert [problem.partition(";")[0] for problem in check.problems(text)] == [
        "7: losses.0.weight: should be at least 0",
        "8: losses.0.layers.1: the extractor 'dots' has no layer 'dots9'",
        "9: losses.0.x: unknown key 'x'",
    ]


def test_what_the_preset_supplies_may_not_be_installed(folder: Path) -> None:
    bare = testing.registry()
    with pytest.raises(SpecError) as caught:
        plan.make(Document.parse(SPEC, "a.yaml", folder), bare)
    assert [str(problem) for problem in caught.value.problems] == [
        "the default preset:1: losses.0.use: no loss is called 'tint'; no loss is installed",
        "the default preset:2: merger.use: no merger is called 'paste'; no merger is installed",
    ]


def test_the_default_segmenter_may_not_be_installed(folder: Path) -> None:
    named = [record for record in RECORDS if record.kind != "segmenter"]
    module = ModuleType("instyle_without_segmenters")
    setattr(module, "instyle_plugins", hookimpl(lambda: named, specname="instyle_plugins"))  # noqa: B010
    with pytest.raises(SpecError) as caught:
        plan.make(Document.parse(SPEC, "a.yaml", folder), testing.registry(module))
    assert [str(problem) for problem in caught.value.problems] == [
        "the default plugins:1: no segmenter is called 'cut'; no segmenter is installed"
    ]


@pytest.mark.parametrize(
    ("text", "seen"),
    [("", "empty"), ("- 1\n- [2]", "[1, [2]]"), ("photo.jpg", "'photo.jpg'"), ("3", "3")],
)
def test_no_spec_at_all(check: Checker, text: str, seen: str) -> None:
    (problem,) = check.problems(text)
    assert problem.endswith(f": a spec should be keys with values; this is {seen}")


@pytest.mark.parametrize("key", ["merger", "extractor", "segmenter", "loss"])
def test_braces_and_percents_in_a_spec_are_just_characters(check: Checker, key: str) -> None:
    line = {
        "merger": "merger: {use: paste, width: '{0} %s {x}'}",
        "extractor": "extractors: {'{y}': {use: '{x}'}}",
        "segmenter": "segmenter: {use: cut, '{x}': 1}",
        "loss": "losses: [{use: tint, mode: '{x}'}]",
    }[key]
    (problem,) = check.problems(f"{SPEC}{line}\n")
    assert "{x}" in problem


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = st.sampled_from(
    [
        *("version", "content", "output", "style", "segmenter", "losses", "merger", "extractors"),
        *("optimizer", "size", "margin", "start", "seed", "device", "precision", "objects"),
        *("snapshots", "max_megapixels", "shrink", "tile", "anything"),
    ]
)


@given(changes=st.dictionaries(KEYS, ANYTHING, min_size=1, max_size=4), deep=st.booleans())
def test_whatever_stands_in_a_spec_is_fine_or_refused_in_plain_words(
    folder: Path, registry: Registry, changes: dict[str, Any], deep: bool
) -> None:
    document = Document.parse(SPEC, "a.yaml", folder)
    document.data |= {"objects": [changes]} if deep else changes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "preset_text", PRESETS.__getitem__)
        try:
            plan.make(document, registry)
        except SpecError as error:
            for problem in error.problems:
                assert problem.where is not None
                for jargon in ("Input should", "Value error", "valid ", "pydantic", "NoneType"):
                    assert jargon not in problem.what or jargon in str(changes)


# --- plugins' own models --------------------------------------------------------------------------


def test_plugin_parameters_speak_plainly_on_their_own() -> None:
    with pytest.raises(ValidationError) as caught:
        PasteParams.model_validate({"wdith": 3, "corner": 5})
    assert {error["loc"]: error["msg"] for error in caught.value.errors()} == {
        ("wdith",): "unknown key 'wdith'; did you mean 'width'?",
        ("width",): "missing key 'width'",
        ("corner",): "should be a text, in quotes if need be; it is 5",
    }


def test_models_that_are_no_params_are_understood_too() -> None:
    class Inner(BaseModel, extra="forbid"):
        a: int

    class Outer(Params):
        inner: Inner

    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"inner": {"b": 1}})
    assert {error["msg"] for error in caught.value.errors()} == {
        "missing key 'a'",
        "unknown key 'b'",
    }


def test_params_can_be_used_without_a_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mask.png").touch()
    assert CutParams(file=Path("mask.png")).file == tmp_path / "mask.png"
    with pytest.raises(ValidationError, match="no such file"):
        CutParams(file=Path("other.png"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "empty"),
        (True, "true"),
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        ("a", "'a'"),
        ([1, "a", None], "[1, 'a', empty]"),
        ({"a": 1}, "a mapping"),
        ("x" * 100, f"'{'x' * 60}...'"),
        (list(range(100)), "a list"),
    ],
)
def test_values_are_shown_as_they_are_written(value: Any, text: str) -> None:
    assert shown(value) == text


def test_errors_are_input_errors() -> None:
    """So that the command line ends with status 2."""
    assert issubclass(SpecError, InputError)
    assert SpecError([InputError("a")]).exit_status == 2
