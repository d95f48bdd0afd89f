"""What tests that interrupt a training need."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Ctrl-C as a program begins with it: Lightning does not listen to it after the first one.

    Nor does a worker of the studio that has painted in this process.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
