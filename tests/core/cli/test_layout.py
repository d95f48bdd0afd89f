"""Text and tables of a width: nothing is lost, and what can fit does."""

from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instyle_core.cli.layout import clock, table, visible, width_of, wrap

WORDS = st.lists(st.text("ab-_/.", min_size=1, max_size=14), max_size=20).map(" ".join)


@given(WORDS, st.integers(1, 60))
def test_wrapping_keeps_all_words_whole(text: str, width: int) -> None:
    lines = wrap(text, width).split("\n")
    assert " ".join(lines).split() == text.split()
    for line in lines:
        assert len(line) <= width or len(line.split()) == 1
    assert wrap(text, None) == text


def test_a_command_stays_in_one_line() -> None:
    wrapped = wrap("  it is there; go on with `instyle pipeline run a b` or not", 20)
    assert wrapped.split("\n") == [
        "  it is there; go on",
        "  with",
        "  `instyle pipeline run a b`",
        "  or not",
    ]


ROWS = st.integers(1, 5).flatmap(
    lambda columns: st.lists(
        st.lists(st.text("abc ", max_size=40).map(str.strip), min_size=columns, max_size=columns),
        min_size=2,
        max_size=5,
    )
)


@given(ROWS, st.one_of(st.none(), st.integers(10, 120)))
def test_a_table_has_every_word_of_every_row(rows: list[list[str]], width: int | None) -> None:
    rows[0] = [f"h{number}" for number in range(len(rows[0]))]
    made = table(rows, width)
    letters = sorted("".join("".join(row) for row in rows[1:]).replace(" ", ""))
    found = [c for c in made if c in "abc"]
    assert sorted(found) == letters


def test_without_a_limit_a_row_is_a_line() -> None:
    made = table([("name", "text"), ("a", "word " * 100 + "end"), ("bcdefg", "x")], None)
    first, second, third = made.splitlines()
    assert first == "name    text"
    assert second == f"a       {'word ' * 100}end"
    assert third == "bcdefg  x"


def test_long_cells_wrap_beside_the_others() -> None:
    made = table([("name", "text"), ("abcdefgh", "one two three four"), ("b", "c")], 18)
    assert made.splitlines() == [
        "name      text",
        "abcdefgh  one two",
        "          three",
        "          four",
        "b         c",
    ]


def test_columns_that_would_be_too_narrow_become_lines() -> None:
    rows = [("name", "license", "size"), ("a" * 30, "MIT", "3 MB"), ("b", "", "4 MB")]
    assert table(rows, 36).splitlines() == [
        f"name: {'a' * 30}",
        "license: MIT",
        "size: 3 MB",
        "",
        "name: b",
        "size: 4 MB",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2J\x1b]0;title\x07", r"a\x1b[2J\x1b]0;title\x07"),
        ("\x9b2J", r"\x9b2J"),  # the same command in one byte
        ("all\rgone\b\x7f", r"all\x0dgone\x08\x7f"),
        ("tab\tand\nline, ü, 日本", "tab\tand\nline, ü, 日本"),
    ],
)
def test_commands_for_the_terminal_are_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert visible(text) == wrap(text, None) == shown
    cell = text.replace("\n", " ").replace("\t", " ")
    width = len(visible(cell))
    lines = table([("a", "b"), (cell, "c")], None).splitlines()
    assert lines[1].startswith(visible(cell) + "  ")
    if cell.isascii():
        assert lines == [f"{'a':{width}}  b", f"{visible(cell)}  c"]


def test_wide_letters_take_two_columns() -> None:
    name = "日本"
    assert unicodedata.east_asian_width(name[0]) == "W"
    made = table([("name", "n"), (name, "1"), ("abcd", "2")], None)
    assert made.splitlines()[1] == f"{name}  1"


@pytest.mark.parametrize(("columns", "width"), [("40", 40), ("", None), ("0", None), ("x", None)])
def test_the_width_of_what_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int | None
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert width_of(io.StringIO()) == width


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (247.9, "4:07"), (11047, "3:04:07")])
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
