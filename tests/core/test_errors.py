"""Errors for people: what is said, and which exit status they end with."""

from __future__ import annotations

import pytest

from instyle_core.errors import (
    DivergedError,
    InputError,
    InstyleError,
    InterruptedRun,
    SpecError,
    WeightsError,
)


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
