"""The command imports nothing heavy to tell what it is."""

from __future__ import annotations

from tests.core.helpers.commands import Command
from tests.core.helpers.imports import HEAVY, imported_by


def test_help(instyle: Command) -> None:
    done = instyle("batch", "--help")
    assert done.status == 0
    for word in ("SPEC", "--styles", "--watch", "--devices", "--cluster", "--json"):
        assert word in done.out


def test_it_imports_nothing_heavy() -> None:
    assert not imported_by("import instyle_batch.command, instyle_batch.batch") & HEAVY
