"""What tests of resuming have in common."""

from __future__ import annotations

from typing import Any

import pytest

from instyle_core.config.plan import Plan
from tests.core.helpers.interrupted import interrupt, tinted
from tests.core.helpers.studio import Studio


@pytest.fixture
def plan(studio: Studio) -> Plan:
    """The plan of a run that was interrupted at the second step of its second object."""
    plan = studio.plan(**tinted(studio))
    interrupt(plan, 1, 2)
    return plan


@pytest.fixture(scope="module")
def references() -> dict[Any, dict[str, bytes]]:
    """The results of unbroken runs, for tests that differ in where they are interrupted."""
    return {}
