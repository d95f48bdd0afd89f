"""Versions of what computes: machines that differ in them would paint differently."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from instyle_core import InputError, Registry

#: Packages that are compared, with Python itself and all that bring plugins.
_PACKAGES = ("instyle", "torch", "ray")


@cache
def versions() -> Mapping[str, str]:
    """The versions of this process, by name: of Python, packages, and whatever brings plugins."""
    found = {"Python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name).partition("+")[0]  # for a processor or a GPU
    for entry in Registry.installed().entries():
        name, _, found_version = entry.distribution.rpartition(" ")
        found[name] = found_version
    return found


def check_versions(expected: Mapping[str, str], where: str) -> None:
    """Compare the versions of this process with those of the process that began the batch.

    Args:
        expected: what `versions` told there.
        where: the name of this machine.

    Raises:
        InputError: they differ.
    """
    found = versions()
    wrong = [
        f"{name} {found.get(name, 'is missing')}, not {expected.get(name, 'there')}"
        for name in sorted({*expected, *found})
        if found.get(name) != expected.get(name)
    ]
    if wrong:
        what = (
            f"this machine does not have the versions of the one that the batch is on: {wrong[0]}"
        )
        more = f" (and {len(wrong) - 1} more)" if wrong[1:] else ""
        hint = "install the same versions on all machines"
        raise InputError(what + more, where=where, hint=hint)
