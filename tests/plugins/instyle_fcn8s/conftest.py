"""What the tests of the command line and of downloads share with the core's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.conftest import cache, instyle
from tests.core.hub import Hub, hub_of_this_machine

__all__ = ["cache", "hub", "instyle"]


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_of_this_machine(monkeypatch) as hub:
        yield hub
