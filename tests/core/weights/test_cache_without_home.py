"""Commands work for a user who has no home, no temporary folder and no name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: As a user whom the system does not know.
CODE = """
import pwd

def getpwuid(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")

pwd.getpwuid = getpwuid
from instyle_core.cli import main
main()
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run instyle with nothing else in its environment."""
    return subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"HOME": "/nonexistent"},
        {"HOME": "relative"},
        {"XDG_CACHE_HOME": "weird"},
        {"XDG_CACHE_HOME": "/dev/null"},
        {"TMPDIR": "/nonexistent"},
        {"INSTYLE_CACHE": "~nosuch-user/x"},
        {"INSTYLE_CACHE": "/dev/null/x"},
        {"HF_HOME": "~nosuch-user/x", "TORCH_HOME": "/dev/null", "MPLCONFIGDIR": "/dev/null"},
    ],
    ids=str,
)
def test_listing_works(environment: dict[str, str]) -> None:
    done = run("models", "list", "--json", **environment)
    assert done.returncode == 0, done.stderr
    assert '"vgg19-oxford"' in done.stdout
    assert all(line.startswith("note: ") for line in done.stderr.splitlines())
    assert len(done.stderr.splitlines()) <= 1  # said once


@pytest.mark.parametrize("name", ["plugins", "models"])
def test_the_home_of_nobody_is_told(name: str) -> None:
    done = run(name, "list", INSTYLE_CACHE="~nosuch-user/x")
    assert done.returncode == 0
    assert ("INSTYLE_CACHE=~nosuch-user/x" in done.stderr) == (name == "models")


def test_where_a_cache_is_needed_it_is_said_what_to_set() -> None:
    done = run("models", "pull", "vgg19-imagenet1k_v1", INSTYLE_CACHE="/dev/null/x")
    assert done.returncode == 3
    assert "set INSTYLE_CACHE to a folder that can be written to" in done.stderr
    assert "should not happen" not in done.stderr


def test_weights_that_ship_are_found_and_verified() -> None:
    done = run("models", "path", "fcn8s-animals")
    assert (done.returncode, Path(done.stdout.strip()).name) == (0, "fcn8s-animals.safetensors")
    assert "fcn8s-animals: ok" in run("models", "verify").stdout
