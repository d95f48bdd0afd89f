"""Values of YAML with one reading are taken, those with two or none are refused."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from instyle_core.config.document import Document
from instyle_core.config.scalars import Doubtful, text_of
from tests.core.helpers.fake_plugins import Checker
from tests.core.helpers.specs import SPEC


def parse(text: str) -> Document:
    return Document.parse(text, "a.yaml", Path("/somewhere"))


@pytest.mark.parametrize(
    ("written", "what", "hint"),
    [
        ("0512", "0512 can be read as 330 and as 512", "write 512, or 330"),
        ("-017", "-017 can be read as -15 and as -17", "write -17, or -15"),
        ("08", "08 can be read as '08' and as 8", "write 8, or '08' with the quotes"),
        ("0o17", "0o17 can be read as '0o17' and as 15", "write 15, or '0o17' with the quotes"),
        ("0b11", "0b11 can be read as 3 and as '0b11'", "write 3, or '0b11' with the quotes"),
        ("1_000", "1_000 can be read as 1000 and as '1_000'", "write 1000, or '1_000' with the"),
        ("1:30", "1:30 can be read as 90 and as '1:30'", "write 90, or '1:30' with the quotes"),
        ("1:30.5", "1:30.5 can be read as 90.5 and as '1:30.5'", "write 90.5, or "),
        ("-.5", "-.5 can be read as '-.5' and as -0.5", "write -0.5, or '-.5' with the quotes"),
        ("yes", "yes can be read as true and as 'yes'", "write true, or 'yes' with the quotes"),
        ("Off", "Off can be read as false and as 'Off'", "write false, or 'Off' with the"),
        ("!!int 0512", "0512 can be read as 330 and as 512", "write 512, or 330"),
        (".inf", "'.inf' is no finite number", ""),
        ("-.Inf", "'-.Inf' is no finite number", ""),
        (".nan", "'.nan' is no finite number", ""),
        ("1e999", "'1e999' is no finite number", ""),
        ("0x" + "F" * 400, "is no finite number", ""),
        ("9" * 5000, "cannot be read", "quotes"),
        ("!!int x", "'x' cannot be read", "quotes"),
        ("!!bool x", "'x' cannot be read", "quotes"),
        ("!!binary aGk=", "has the type tag:yaml.org,2002:binary", "quotes"),
        ("!!python/name:os.system", "python/name:os.system, which no setting has", "quotes"),
        ("=", "has the type", "quotes"),
        ('"\\0"', "U+0000 is no character that a text can have", ""),
        ('"\\ud800"', "U+D800 is no character that a text can have", ""),
        ('"\\udfff\\ud800"', "U+DFFF is no character that a text can have", ""),
    ],
)
def test_what_is_not_clear_is_refused_with_its_line(written: str, what: str, hint: str) -> None:
    document = parse(f"x: 1\na: {written}\n")
    (problem,) = document.problems
    assert what in problem.what
    assert hint in (problem.hint or "")
    assert problem.where == "a.yaml:2"
    assert document.doubtful == {("a",)}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("'0512'", "0512"),
        ("!!str 0512", "0512"),
        ('"yes"', "yes"),
        ("!!str yes", "yes"),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("00", 0),
        ("-0", 0),
        ("0x1F", 31),
        ("01.5", 1.5),
        ("~", None),
        ("Null", None),
        ("y", "y"),
        ("2020-01-01", "2020-01-01"),  # no setting is a date
        ("2020-13-01", "2020-13-01"),
        ('"\\ud83d\\ude00"', "\N{GRINNING FACE}"),  # as JSON writes it
        ('"\\udcff"', "\udcff"),  # a byte of a file's name
    ],
)
def test_what_is_clear_is_taken(written: str, value: Any) -> None:
    document = parse(f"a: {written}")
    assert document.problems == []
    assert document.data == {"a": value}
    assert type(document.data["a"]) is type(value)


#: The core schema of YAML 1.2.2, section 10.3.2.
CORE = {
    "null": "null|Null|NULL|~|",
    "bool": "true|True|TRUE|false|False|FALSE",
    "int": "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)"
    r"|\.(nan|NaN|NAN)",
}


@given(st.text("0123456789_:.eE+-xobnNyY~", min_size=1, max_size=6))
def test_a_value_that_is_taken_is_that_of_both_versions(written: str) -> None:
    try:
        document = parse(f"- {written}")
        older = yaml.safe_load(f"- {written}")
    except (Exception, yaml.YAMLError):
        return
    if document.problems or not isinstance(document.data, list) or not isinstance(older, list):
        return
    (value,) = document.data
    newer = next((k for k, form in CORE.items() if re.fullmatch(form, written)), "str")
    if isinstance(value, str):
        assert newer == "str" or not isinstance(written, str)
    if isinstance(value, int | float) and not isinstance(value, bool):
        assert newer in ("int", "float")
        # PyYAML alone takes 1e4 for a text.
        assert older[0] == (written if isinstance(older[0], str) else value)
        assert math.isfinite(value)


@given(st.text())
def test_texts_of_json_stay_what_they_are(text: str) -> None:
    document = parse(json.dumps([text]))  # with escapes for all that is not ASCII
    assert document.data == [None if "\0" in text else text]


@given(st.text(st.characters()))
def test_a_text_can_be_written(text: str) -> None:
    try:
        text_of(text).encode("utf-8", "surrogateescape")
    except Doubtful:
        assert "\0" in text or any(0xD800 <= ord(c) <= 0xDFFF for c in text)


def test_what_is_doubtful_is_told_once(check: Checker) -> None:
    spec = f"{SPEC}\nsize: 0512\nmargin: yes\nobjects: [{{select: {{point: [1:30, 3]}}}}]\n"
    problems = check.problems(spec)
    assert [re.sub(r"^\d+: ", "", problem) for problem in problems] == [
        "size: 0512 can be read as 330 and as 512",
        "margin: yes can be read as true and as 'yes'",
        "objects.0.select.point.0: 1:30 can be read as 90 and as '1:30'",
    ]


def test_set_says_the_same() -> None:
    document = parse("size: 512")
    document.set("size=0512")
    (problem,) = document.problems
    assert (problem.where, problem.hint) == ("--set size=0512", "write 512, or 330")
    assert document.data == {"size": 512}
