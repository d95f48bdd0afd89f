"""YAML and JSON with the line of every value; and what `--set` does to it."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from instyle_core.config.document import Document
from instyle_core.errors import InputError

HERE = Path("/somewhere")


def parse(text: str) -> Document:
    return Document.parse(text, "a.yaml", HERE)


def refused(text: str) -> tuple[str, str]:
    """What is wrong, and where."""
    with pytest.raises(InputError) as caught:
        parse(text)
    assert caught.value.where is not None
    return caught.value.what, caught.value.where


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e4", 1e4),
        ("1E4", 1e4),
        ("1e-3", 1e-3),
        ("-2e+3", -2e3),
        ("+3e2", 3e2),
        ("1.5e3", 1.5e3),
        ("1.e3", 1e3),
        (".5e1", 5.0),
        ("0e0", 0.0),
        ("1.0e+4", 1e4),  # the one spelling of YAML 1.1
        ("7", 7),
        ("-0.25", -0.25),
    ],
)
def test_numbers_as_people_write_them(text: str, number: float) -> None:
    assert parse(f"a: {text}").data == {"a": number}
    assert type(parse(f"[{text}]").data[0]) is type(number)


@pytest.mark.parametrize(
    "text", ["1e4x", "1e", "e4", "1e+", "1e4.5", "x1e4", "1e 4", "--1e4", "1e4_", "."]
)
def test_texts_that_only_look_like_numbers(text: str) -> None:
    assert parse(f"a: {text}").data == {"a": text}


@pytest.mark.parametrize("text", ["'1e4'", '"1e4"', "!!str 1e4"])
def test_quotes_make_a_text_of_a_number(text: str) -> None:
    assert parse(f"a: {text}").data == {"a": "1e4"}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_that_python_prints(number: float) -> None:
    data = parse(f"[{number!r}, {number:e}, {number:E}]").data
    assert data[0] == number
    assert all(isinstance(item, float) for item in data)
    assert all(math.isclose(item, number, rel_tol=1e-6) for item in data)


PLAIN = st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(PLAIN, max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(PLAIN, max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from([None, 2]))
def test_json_is_read_as_json(data: Any, indent: int | None) -> None:
    document = parse(json.dumps(data, indent=indent, ensure_ascii=False))
    assert document.data == data
    assert document.problems == []


@given(JSON)
def test_yaml_is_read_as_yaml(data: Any) -> None:
    # In quotes, since PyYAML takes 1e4 for a text, which needs none.
    text = yaml.safe_dump(data, allow_unicode=True, default_style='"')
    assert parse(text).data == data


def test_keys_are_the_texts_that_were_written() -> None:
    data = parse("on: 1\n1: 2\n1.50: 3\nnull: 4\n2020-01-01: 5\n'no': 6\n").data
    assert data == {"on": 1, "1": 2, "1.50": 3, "null": 4, "2020-01-01": 5, "no": 6}


def test_an_empty_text_holds_nothing() -> None:
    for text in ("", "\n\n", "# nothing\n", "---\n"):
        assert parse(text).data is None


# --- places ---------------------------------------------------------------------------------------


def test_every_value_knows_its_line() -> None:
    document = parse("# a comment\na: 1\n\nb:\n  - x\n  -\n    c: [1,\n      2]\n")
    assert document.data == {"a": 1, "b": ["x", {"c": [1, 2]}]}
    places = {location: int(place.removeprefix("a.yaml:")) for location, place in _places(document)}
    assert places == {
        (): 2,
        ("a",): 2,
        ("b",): 4,
        ("b", 0): 5,
        ("b", 1): 7,
        ("b", 1, "c"): 7,
        ("b", 1, "c", 0): 7,
        ("b", 1, "c", 1): 8,
    }


def _places(document: Document) -> list[tuple[tuple[str | int, ...], str]]:
    return list(document.places.items())


def test_what_is_not_there_is_at_what_is_around_it() -> None:
    document = parse("a: 1\nb:\n  c:\n    d: 2\n")
    assert document.place(("b", "c", "x", 3)) == "a.yaml:3"
    assert document.place(("x",)) == "a.yaml:1"
    assert parse("").place(("x",)) == "a.yaml"


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_lines_with_gaps_between_them(gaps: list[int]) -> None:
    text, expected, line = "", {}, 1
    for number, gap in enumerate(gaps):
        line += gap
        text += "\n" * gap + f"key{number}: {number}\n"
        expected[f"key{number}"] = f"a.yaml:{line}"
        line += 1
    document = parse(text)
    assert {key: document.place((key,)) for key in document.data} == expected


# --- aliases and merges ---------------------------------------------------------------------------


def test_an_alias_is_a_copy() -> None:
    document = parse("a: &x [1, 2]\nb: *x\n")
    document.assign("a.0", 9, "--set")
    assert document.data == {"a": [9, 2], "b": [1, 2]}


def test_merged_keys_are_overridden_by_own_ones() -> None:
    text = "base: &base {x: [1, 1], y: 2}\nown:\n  <<: *base\n  x:\n    - 3\nagain: *own\n"
    document = parse(text.replace("own:", "own: &own"))
    assert document.data["own"] == document.data["again"] == {"x": [3], "y": 2}
    assert document.problems == []
    assert document.place(("own", "y")) == "a.yaml:1"
    assert document.place(("own", "x", 0)) == "a.yaml:5"


def test_several_mappings_are_merged_the_first_one_first() -> None:
    document = parse("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b], z: 3}\n")
    assert document.data["c"] == {"x": 1, "y": 2, "z": 3}


@pytest.mark.parametrize(
    "text", ["a: &x [*x]", "a: &x {b: *x}", "a: &x [1, [2, {c: *x}]]", "a: &x {<<: {b: *x}}"]
)
def test_an_alias_must_not_contain_itself(text: str) -> None:
    assert refused(text) == ("an alias stands for something that contains it", "a.yaml:1")


def test_a_mapping_that_merges_itself_adds_nothing() -> None:
    assert parse("a: &x {<<: *x, b: 1}").data == {"a": {"b": 1}}


def test_a_few_lines_must_not_stand_for_billions_of_values() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for number in range(1, 10):
        lines.append(f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 10)}]")
    assert refused("\n".join(lines))[0] == "there are more than 100,000 values"


# --- what is broken -------------------------------------------------------------------------------


def test_keys_that_are_there_twice_are_all_told() -> None:
    document = parse("a: 1\nb:\n  c: 1\n  c: 2\n  'c': 3\na: 2\nd: {e: 1, e: 1}\n")
    assert sorted((p.where, p.what) for p in document.problems) == [
        ("a.yaml:4", "the key 'c' is there twice"),
        ("a.yaml:5", "the key 'c' is there twice"),
        ("a.yaml:6", "the key 'a' is there twice"),
        ("a.yaml:7", "the key 'e' is there twice"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "flow sequence that begins in line 2"),
        ("a: 1\n b: 2\n", 2, "mapping values are not allowed here"),
        ("a: 1\n\tb: 2\n", 2, r"'\t'"),
        ("a:\n\tb: 2\n", 2, r"'\t'"),
        ("a: b: c", 1, "mapping values are not allowed here"),
        ('a: "never\n\n\nclosed', 4, "quoted scalar that begins in line 1"),
        ("a: 1\nb: *nope\n", 2, "undefined alias 'nope'"),
        ("a: 1\nb: @x\n", 2, "'@'"),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("a: 1\n? [b]\n: 2\n", 2, "a key should be a plain text"),
        ("a: 1\nb: \x00\n", 2, "U+0000"),
        ("a: 1\nb: !!set {x: 2}\n", 2, "tag:yaml.org,2002:set is no type"),
        ("a: 1\nb: !own [x]\n", 2, "!own is no type that a setting has"),
        ("a: 1\n<<: [1]\n", 2, "merging"),
        ("a: 1\n<<: {b: 1, <<: [[]]}\n", 2, "merging"),
        ('a: 1\n"\\ud800": 2\n', 2, "U+D800 is no character"),
        ('a: 1\n"x\\0": 2\n', 2, "U+0000 is no character"),
        ("a: 1\n<<: 3\n", 2, "merging"),
    ],
)
def test_broken_yaml_is_refused_with_its_line(text: str, line: int, what: str) -> None:
    message, where = refused(text)
    assert what in message
    assert where == f"a.yaml:{line}"
    assert "\n" not in message


def test_tabs_have_a_hint_of_their_own() -> None:
    with pytest.raises(InputError) as caught:
        parse("a:\n\tb: 2\n")
    assert caught.value.hint == "indent with spaces, not with tabs"


def test_nesting_has_an_end() -> None:
    assert refused("[" * 5000) == ("this is nested too deeply", "a.yaml")


# --- files ----------------------------------------------------------------------------------------


def test_a_file_is_called_what_the_user_called_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.yaml").write_bytes("\ufeffa: ä\n".encode())
    document = Document.read(Path("folder/a.yaml"))
    assert document.data == {"a": "ä"}
    assert document.place(("a",)) == "folder/a.yaml:1"
    assert document.folder == tmp_path / "folder"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file") as caught:
        Document.read(tmp_path / "a.yaml")
    assert caught.value.where == str(tmp_path / "a.yaml")
    assert "pipeline init" in (caught.value.hint or "")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        Document.read(tmp_path)


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\x00", "a: 1".encode("utf-16"), b"a: \xff"])
def test_no_text(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.yaml").write_bytes(data)
    with pytest.raises(InputError, match="this is no text") as caught:
        Document.read(tmp_path / "a.yaml")
    assert caught.value.hint == "a spec is a text file in UTF-8"


def test_a_part_keeps_its_lines() -> None:
    part = parse('{"instyle": "1",\n "spec": {\n  "a": [1,\n 2], "a": 1}}').child("spec")
    assert part.data == {"a": 1}
    assert part.place(("a",)) == "a.yaml:4"
    assert part.place(()) == "a.yaml:2"
    assert [problem.where for problem in part.problems] == ["a.yaml:4"]


# --- --set ----------------------------------------------------------------------------------------

SPEC = "size: 1\nstyle: a.jpg\noptimizer:\nobjects:\n  - x: 1\n  - x: [1, 2]\n"


@pytest.mark.parametrize(
    ("assignment", "location", "value"),
    [
        ("size=2", ("size",), 2),
        ("size=1e3", ("size",), 1000.0),
        ("size=", ("size",), None),
        ("seed=7", ("seed",), 7),
        ("content=-", ("content",), "-"),  # to YAML, a list of nothing
        ("style=b=c.jpg", ("style",), "b=c.jpg"),
        ("style={images: [b.jpg], scale: 2}", ("style",), {"images": ["b.jpg"], "scale": 2}),
        ("objects=[]", ("objects",), []),
        ("objects.0.x=5", ("objects", 0, "x"), 5),
        ("objects.1.x.0=5", ("objects", 1, "x", 0), 5),
        ("objects.1.x.2=5", ("objects", 1, "x", 2), 5),
        ("objects.2={x: 5}", ("objects", 2), {"x": 5}),
        ("objects.0.select.class=cat", ("objects", 0, "select", "class"), "cat"),
        ("optimizer.steps=5", ("optimizer", "steps"), 5),
        ("losses.0=content", ("losses", 0), "content"),
        ("extractors.v7.use=vgg19", ("extractors", "v7", "use"), "vgg19"),
    ],
)
def test_set(assignment: str, location: tuple[str | int, ...], value: Any) -> None:
    document, before = parse(SPEC), parse(SPEC)
    document.set(assignment)
    assert document.problems == []
    found = document.data
    for part in location:
        found = found[part]
    assert found == value
    assert document.place(location) == f"--set {assignment}"
    # Everything else is as it was, where it was.
    for other, place in before.places.items():
        if other != location[: len(other)] and location != other[: len(location)]:
            assert document.places[other] == place


def test_set_forgets_the_lines_of_what_was_there() -> None:
    document = parse(SPEC)
    document.set("objects=[{x: 1}, {x: 2}]")
    assert document.place(("objects", 1, "x")) == "--set objects=[{x: 1}, {x: 2}]"


def test_set_makes_what_is_on_the_way() -> None:
    document = parse("")
    document.set("optimizer.use=adam")
    document.set("losses.0=content")
    document.set("losses.1={use: style}")
    assert document.data == {
        "optimizer": {"use": "adam"},
        "losses": ["content", {"use": "style"}],
    }
    assert document.place(("optimizer", "steps")) == "--set optimizer.use=adam"


@pytest.mark.parametrize(
    ("assignment", "what", "hint"),
    [
        ("size", "not of the form KEY=VALUE", "--set objects.0.style=painting.jpg"),
        ("=3", "not of the form KEY=VALUE", "--set objects.0.style=painting.jpg"),
        ("size.x=3", "'size' is a single value, it has no 'x'", "--set 'size={x: ...}'"),
        ("objects.0.x.y=3", "'objects.0.x' is a single value, it has no 'y'", ""),
        ("objects.3=3", "'objects' has no entry '3'", "2 there, counted from 0"),
        ("objects.2.x=3", "'objects' has no entry '2'", "2 there, counted from 0"),
        ("objects.-1.x=3", "'objects' has no entry '-1'", "2 there, counted from 0"),
        ("objects.x=3", "'objects' has no entry 'x'", "2 there, counted from 0"),
        ("losses.0.weight=3", "'losses' has no entry '0'", "0 there, counted from 0"),
        ("style=[a", "this is no YAML", "quotes"),
        ("style={a: 1, a: 2}", "the key 'a' is there twice", ""),
    ],
)
def test_set_that_cannot_be(assignment: str, what: str, hint: str) -> None:
    document = parse(SPEC)
    document.set(assignment)
    if "{" not in assignment:
        assert document.data == parse(SPEC).data
    (problem,) = document.problems
    assert what in problem.what
    assert problem.where == f"--set {assignment}"
    assert hint in (problem.hint or "")


def test_set_leaves_alone_what_is_no_spec() -> None:
    document = parse("[1, 2]")
    document.set("size=3")
    assert document.data == [1, 2]


def test_texts_of_set_know_where_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    document = parse("{}")
    document.set("style={images: [a.jpg]}")
    text = document.data["style"]["images"][0]
    assert text == "a.jpg"
    assert os.path.samefile(text.folder, tmp_path)
