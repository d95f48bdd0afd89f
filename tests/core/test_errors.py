"""Errors for people: what is said, and which exit status they end with."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instyle_core.errors import (
    DivergedError,
    InputError,
    InstyleError,
    InterruptedRun,
    SpecError,
    WeightsError,
    described,
    did_you_mean,
    first_line,
)
from tests.core.helpers.pictures import FEW


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({}, "no such file"),
        ({"where": "a.yaml:3"}, "a.yaml:3: no such file"),
        ({"hint": "check the name"}, "no such file (check the name)"),
        (
            {"where": "a.yaml:3", "hint": "check the name"},
            "a.yaml:3: no such file (check the name)",
        ),
    ],
)
def test_an_error_says_what_where_and_what_to_do(parts: dict[str, str], text: str) -> None:
    error = InstyleError("no such file", **parts)
    assert str(error) == text
    assert error.what == "no such file"
    assert (error.where, error.hint) == (parts.get("where"), parts.get("hint"))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (InstyleError, 1),
        (DivergedError, 1),
        (InputError, 2),
        (WeightsError, 3),
        (InterruptedRun, 130),
    ],
)
def test_each_kind_has_its_exit_status(kind: type[InstyleError], status: int) -> None:
    assert kind("a").exit_status == status


@pytest.mark.parametrize(
    ("count", "first"), [(1, "the spec has 1 error"), (2, "the spec has 2 errors")]
)
def test_all_errors_of_a_spec_are_told_in_their_order(count: int, first: str) -> None:
    problems = [InputError(f"wrong {n}", where=f"a.yaml:{n}") for n in range(count)]
    error = SpecError(problems)
    assert str(error).splitlines() == [first, *(f"a.yaml:{n}: wrong {n}" for n in range(count))]
    assert error.problems == tuple(problems)


def test_errors_are_input_errors() -> None:
    """So that the command line ends with status 2."""
    assert issubclass(SpecError, InputError)
    assert SpecError([InputError("a")]).exit_status == 2


# --- what errors are made of ----------------------------------------------------------------------


def test_names_that_are_near() -> None:
    names = ["content", "relu1_1", "relu2_1", "relu3_1", "relu4_1"]
    assert did_you_mean("contnet", iter(names)) == "did you mean 'content'?"
    assert did_you_mean("zzz", names) == did_you_mean("", names) == did_you_mean("a", []) == ""
    told = did_you_mean("relu", names)
    assert re.fullmatch(r"did you mean 'relu\d_1' or 'relu\d_1' or 'relu\d_1'\?", told)
    assert re.fullmatch(r"did you mean 'relu\d_1'\?", did_you_mean("relu", names, most=1))


@given(st.text(min_size=1), st.lists(st.text()))
@FEW
def test_a_name_that_there_is_would_be_the_first(name: str, names: list[str]) -> None:
    assert did_you_mean(name, [*names, name], most=1) == f"did you mean {name!r}?"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no"), "no"),
        (ValueError("no\nnot at all"), "no"),
        (ValueError("\nnot at all"), "ValueError"),
        (ValueError(), "ValueError"),
        (KeyError("a"), "'a'"),
        (SystemExit(), "SystemExit"),
    ],
)
def test_the_first_line_of_an_exception(error: BaseException, line: str) -> None:
    assert first_line(error) == line


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no\n at  all"), "ValueError: no at all"),
        (SystemExit(), "SystemExit"),
        (KeyError("a"), "KeyError: 'a'"),
    ],
)
def test_an_exception_in_one_line(error: BaseException, text: str) -> None:
    assert described(error) == text


@pytest.mark.parametrize("text", [3, ValueError("no text")])
def test_an_exception_that_cannot_be_turned_into_a_text(text: object) -> None:
    class Unsayable(Exception):
        def __str__(self) -> str:
            if isinstance(text, Exception):
                raise text
            return text  # type: ignore[return-value]

    assert described(Unsayable("a")) == first_line(Unsayable("a")) == "Unsayable"
