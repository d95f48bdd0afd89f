"""Errors: their statuses, and their form."""

from __future__ import annotations

import pytest

from instyle_core import InputError, InstyleError, SpecError, WeightsError
from instyle_studio.errors import FromWorker, Refused, not_found, status_of, told


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("x"), 422),
        (SpecError([InputError("x")]), 422),
        (WeightsError("x"), 424),
        (InstyleError("x"), 500),
        (Refused(413, "x"), 413),
        (not_found("photo"), 404),
        (FromWorker({"what": "x", "exit_status": 2}), 422),
        (FromWorker({"what": "x"}), 500),
    ],
)
def test_statuses(error: InstyleError, status: int) -> None:
    assert status_of(error) == status


def test_their_form() -> None:
    one = InputError("size: too small", where="spec.yaml:3", hint="make it larger")
    facts = {"what": "size: too small", "where": "spec.yaml:3", "hint": "make it larger"}
    assert told(one) == facts
    several = told(SpecError([one, one]))
    assert several["problems"] == [facts, facts]
    assert several["what"] == "the spec has 2 errors"
    # As a worker tells it, it comes out the same.
    assert told(FromWorker({**several, "exit_status": 2})) == several
