"""Packages that are installed as their users would install them, into a folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.core.helpers.commands import MAIN
from tests.core.helpers.forks import PYTEST, Forked


@dataclass
class Installed:
    """A folder with installed packages, and programs that see them.

    Attributes:
        folder: has the packages.
    """

    folder: Path

    @classmethod
    def of(cls, folder: Path, *packages: Path) -> Installed:
        """Build and install packages, without a network."""
        options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder)]
        done = subprocess.run(
            [*command, *map(str, packages)], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return cls(folder)

    def python(self, code: str, *arguments: str | Path, cwd: Path) -> str:
        """The output of a Python program that sees the packages."""
        environment = {**os.environ, "COLUMNS": "200"}
        environment.pop("INSTYLE_PLUGINS", None)
        process = Forked(code, *arguments, folder=cwd, path=(self.folder,), environment=environment)
        out, err = process.communicate()
        assert process.returncode == 0, out + err
        return out

    def instyle(self, *arguments: str | Path, cwd: Path) -> str:
        """The output of the command ``instyle``."""
        return self.python(MAIN, *arguments, cwd=cwd)

    def pytest(self, *arguments: str | Path, cwd: Path) -> None:
        """Tests pass that see the packages."""
        self.python(PYTEST, *arguments, cwd=cwd)
