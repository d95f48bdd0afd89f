"""What may stand in a spec and what is said of the rest, with plugins of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instyle_core.config import plan
from instyle_core.config.document import Document
from instyle_core.config.optimizer import Adam
from instyle_core.errors import SpecError
from tests.core.helpers.fake_plugins import (
    RECORDS,
    Checker,
    CutParams,
    DotsParams,
    PasteParams,
    registry_of,
)
from tests.core.helpers.specs import SPEC

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


def test_what_the_preset_supplies_may_not_be_installed(check: Checker) -> None:
    check.registry = registry_of([])
    with pytest.raises(SpecError) as caught:
        check.plan(SPEC)
    assert [str(problem) for problem in caught.value.problems] == [
        "the default preset:1: losses.0.use: no loss is called 'tint'; no loss is installed",
        "the default preset:2: merger.use: no merger is called 'paste'; no merger is installed",
    ]


def test_the_default_segmenter_may_not_be_installed(check: Checker) -> None:
    check.registry = registry_of([record for record in RECORDS if record.kind != "segmenter"])
    with pytest.raises(SpecError) as caught:
        check.plan(SPEC)
    assert [str(problem) for problem in caught.value.problems] == [
        "the default plugins:1: no segmenter is called 'cut'; no segmenter is installed "
        "(name another one under `segmenter`)"
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


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(KEYS, ANYTHING, min_size=1, max_size=4), deep=st.booleans())
def test_whatever_stands_in_a_spec_is_fine_or_refused_in_plain_words(
    check: Checker, changes: dict[str, Any], deep: bool
) -> None:
    document = Document.parse(SPEC, "a.yaml", check.folder)
    document.data |= {"objects": [changes]} if deep else changes
    try:
        plan.make(document, check.registry)
    except SpecError as error:
        for problem in error.problems:
            assert problem.where is not None
            for jargon in ("Input should", "Value error", "valid ", "pydantic", "NoneType"):
                assert jargon not in problem.what or jargon in str(changes)
