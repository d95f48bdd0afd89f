"""Made-up plugin modules; and distributions on ``sys.path``, which importlib.metadata finds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from instyle_core import Plugin, hookimpl
from instyle_core.plugin.discovery import Failure, Source
from instyle_core.plugin.registry import Registry

COMMANDS = "instyle_commands"

#: The names that made-up modules need, one by one: with `*`, torch would be loaded too.
IMPORTS = (
    "from instyle_core import LossParams, Params, Plugin, SegmenterParams, Weights, hookimpl\n"
)


def record(**changes: str) -> str:
    """The source of a record; values are source too."""
    fields = {
        "kind": "'loss'",
        "name": "'dots'",
        "params": "LossParams",
        "factory": "'dots_code:Dots'",
        "summary": "'Paints dots.'",
    }
    return f"Plugin({', '.join(f'{key}={value}' for key, value in (fields | changes).items())})"


def module(body: str, hook: str = "instyle_plugins") -> str:
    """The source of a plugin module with one hook."""
    return f"{IMPORTS}import click\n@hookimpl\ndef {hook}():\n    {body}\n"


def module_of(name: str, *plugins: Plugin) -> ModuleType:
    """A module that announces plugins, as the cell of a notebook makes one."""
    made = ModuleType(name)
    hook = hookimpl(lambda: plugins, specname="instyle_plugins")
    made.instyle_plugins = hook  # type: ignore[attr-defined]
    return made


def source_of(distribution: str, *plugins: Plugin) -> Source:
    """A distribution, of version 1.0, with a module that announces plugins."""
    name = distribution.replace("-", "_")
    return Source(name, name, distribution, "1.0", lambda: module_of(name, *plugins))


class Site:
    """A folder on ``sys.path`` with distributions in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    @contextmanager
    def open(cls, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
        """A new folder; what was imported from it is forgotten in the end."""
        monkeypatch.delenv("INSTYLE_PLUGINS", raising=False)
        before = set(sys.modules)
        folder.mkdir()
        monkeypatch.syspath_prepend(folder)
        yield cls(folder)
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
                del sys.modules[name]

    def install(
        self,
        distribution: str,
        source: str = "",
        *,
        point: str | None = None,
        points: bytes | None = None,
        metadata: bytes | None = None,
        version: str = "1.0",
    ) -> None:
        """Add a distribution with one module and an entry point of its name.

        Args:
            distribution: its name.
            source: of the module.
            point: what the entry point names instead of the module.
            points: all of ``entry_points.txt``.
            metadata: all of ``METADATA``.
            version: of the distribution.
        """
        name = distribution.replace("-", "_")
        info = self.folder / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        text = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (info / "METADATA").write_bytes(text.encode() if metadata is None else metadata)
        text = f"[instyle]\n{name} = {point or name}\n"
        (info / "entry_points.txt").write_bytes(text.encode() if points is None else points)
        (self.folder / f"{name}.py").write_text(source)

    def failures(self, distribution: str) -> list[Failure]:
        """What the registry has against a distribution."""
        return [
            failure
            for failure in Registry.installed().failures
            if failure.distribution.startswith(distribution)
        ]

    def failure(self, distribution: str) -> tuple[str, str | None, str]:
        """The name, kind and reason of the only failure of a distribution."""
        (found,) = self.failures(distribution)
        assert "\n" not in found.reason
        return found.name, found.kind, found.reason

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """``instyle`` in a process of its own."""
        command = [sys.executable, "-c", "from instyle_core.cli import main; main()", *arguments]
        path = os.pathsep.join([str(self.folder), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", **variables}
        if "INSTYLE_PLUGINS" not in variables:
            environment.pop("INSTYLE_PLUGINS", None)
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=self.folder, timeout=60
        )
