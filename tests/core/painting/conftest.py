"""What the tests of painting share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.core.helpers.level import Level


@pytest.fixture(autouse=True)
def _no_loss_of_another_test() -> Iterator[None]:
    Level.made.clear()
    yield
    Level.made.clear()
