"""``losses.csv``: what is written, by the csv module, and read back to the last bit."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instyle_core.events import Step
from instyle_core.runs.losses_csv import Row, read_rows, row_of, write_rows

#: Names of losses, which are those of plugins.
names = st.from_regex("[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True).filter(
    lambda name: name not in ("object", "step", "height", "width", "total")
)
#: Divergence is found before a row is written, so that values are finite.
values = st.floats(allow_nan=False, allow_infinity=False)


def step(**changes: Any) -> Step:
    fields = {
        "item": 1,
        "step": 7,
        "steps": 20,
        "size": (48, 64),
        "box": (0, 0, 64, 48),
        "losses": {"content": 0.25, "style": 1.5},
        "total": 1.75,
        "seconds_left": None,
        "picture": lambda: torch.zeros(3, 48, 64),
    }
    return Step(**{**fields, **changes})


def test_the_row_of_a_step() -> None:
    assert row_of(step()) == {
        "object": "object-1",
        "step": 7,
        "height": 48,
        "width": 64,
        "total": 1.75,
        "content": 0.25,
        "style": 1.5,
    }
    assert row_of(step(item=None))["object"] == "picture"


def test_there_is_a_column_for_each_loss_of_any_object() -> None:
    rows = [row_of(step()), row_of(step(item=2, losses={"tv": 3.0, "style": 0.5}, total=3.5))]
    assert write_rows(rows).splitlines() == [
        "object,step,height,width,total,content,style,tv",
        "object-1,7,48,64,1.75,0.25,1.5,",
        "object-2,7,48,64,3.5,,0.5,3.0",
    ]


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    """Rows of several objects, each with losses of its own."""
    rows = []
    for number in range(draw(st.integers(1, 3))):
        losses = draw(st.lists(names, max_size=4, unique=True))
        for count in range(1, draw(st.integers(1, 3)) + 1):
            size = draw(st.tuples(st.integers(1, 9000), st.integers(1, 9000)))
            terms = {name: draw(values) for name in losses}
            rows.append(
                row_of(step(item=number, step=count, size=size, losses=terms, total=draw(values)))
            )
    return rows


@given(rows=tables())
def test_rows_are_read_back_to_the_last_bit(rows: list[Row]) -> None:
    text = write_rows(rows)
    again = read_rows(text)
    assert again == rows
    assert [list(row) for row in again] == [
        [key for key in dict.fromkeys(key for row in rows for key in row) if key in row]
        for row in rows
    ]
    for row, same in zip(rows, again, strict=True):
        assert {key: type(value) for key, value in row.items()} == {
            key: type(value) for key, value in same.items()
        }
        for key, value in row.items():  # 0.0 == -0.0
            assert not isinstance(value, float) or math.copysign(1, value) == math.copysign(
                1, same[key]
            )
    assert write_rows(again) == text


@given(rows=tables())
def test_any_reader_of_csv_gets_the_same_numbers(rows: list[Row]) -> None:
    for row, texts in zip(rows, csv.DictReader(io.StringIO(write_rows(rows))), strict=True):
        written = {key: value for key, value in texts.items() if value}
        assert list(written) == [key for key in texts if key in row]
        assert {key: float(value) for key, value in written.items() if key != "object"} == {
            key: value for key, value in row.items() if key != "object"
        }


@pytest.mark.parametrize("text", ["", "object,step\n"])
def test_a_run_without_steps_has_no_rows(text: str) -> None:
    assert read_rows(text) == []
    assert read_rows(write_rows([])) == []


@pytest.mark.parametrize(
    "text",
    [
        "object,step\nobject-0,one\n",
        "object,step,total\nobject-0,1,much\n",
        "object,step\nobject-0,1.5\n",
        'object,step\n"object-0,1\n',
        "object,step,total\nobject-0,1\n",  # cut off
    ],
)
def test_another_text_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, TypeError, csv.Error)):
        read_rows(text)
