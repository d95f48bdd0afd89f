"""The record of a weight file."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from instyle_core.weights.record import Weights

NET = {"name": "net-v1", "file": "net.bin", "sha256": "0123456789abcdef", "megabytes": 1.0}
URL = "https://example.org/net.bin"


@pytest.mark.parametrize(
    "wrong",
    [
        {"sha256": "1234567"},
        {"sha256": "g" * 64},
        {"sha256": "A" * 64},
        {"sha256": "a" * 65},
        {"url": None},
        {"package": "also_a_package"},
    ],
)
def test_a_wrong_record_is_refused(wrong: dict[str, Any]) -> None:
    Weights(**{**NET, "url": URL})
    with pytest.raises(ValueError, match="net-v1"):
        Weights(**{**NET, "url": URL, **wrong})


def test_the_spelling_of_version_0_1_0_is_still_taken() -> None:
    old = Weights(**NET, url=URL, licence="MIT")
    assert old.license == "MIT"
    assert old == Weights(**NET, url=URL, license="MIT")


def test_records_are_compared_by_what_they_say() -> None:
    """Several plugins may announce one file, which is listed and downloaded once."""
    beside = (("user/net", "config.json", "main"),)
    one, same = (Weights(**NET, url=URL, beside=beside) for _ in range(2))
    other = Weights(**NET, package="net")
    assert len({one, same, other}) == 2


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Weights(**NET, url=URL).sha256 = "f" * 64
