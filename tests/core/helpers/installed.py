"""Packages that are installed as their users would install them, into a folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


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

    def python(self, *arguments: str | Path, cwd: Path) -> str:
        """The output of a Python program that sees the packages."""
        path = os.pathsep.join([str(self.folder), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}
        environment.pop("INSTYLE_PLUGINS", None)
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            capture_output=True,
            text=True,
            env=environment,
            cwd=cwd,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def instyle(self, *arguments: str | Path, cwd: Path) -> str:
        """The output of the command ``instyle``."""
        call = "from instyle_core.cli import main; main()"
        return self.python("-c", call, *arguments, cwd=cwd)
