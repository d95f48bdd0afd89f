"""Values as messages show them."""

from __future__ import annotations

from typing import Any

import pytest

from instyle_core.interfaces.messages import shown


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
