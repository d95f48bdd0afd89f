"""Commands work for a user who has no home, no temporary folder and no name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: A user id that no machine knows.
NOBODY = 54321


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run instyle with nothing in its environment; as an unknown user, if the tests may do that."""
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.run(
        [sys.executable, "-c", "from instyle_core.cli import main; main()", *arguments],
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        **user,  # type: ignore[call-overload]
    )


@pytest.fixture(scope="module", autouse=True)
def _others_can_read_this_checkout() -> None:
    if run("--version").returncode:
        pytest.skip("the checkout or its environment is not for other users")


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
