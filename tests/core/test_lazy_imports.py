"""What must answer at once imports nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "torch",
    "torchvision",
    "kornia",
    "cv2",
    "segmentation_models_pytorch",
    "timm",
    "transformers",
    "scipy",
    "skimage",
}
SPEC = Path(__file__).parents[2] / "docs" / "examples" / "one-object.yaml"

#: The last line on standard error tells what is there when a program ends.
TELL = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps([*sys.modules]), file=sys.stderr))
"""


def imported_by(code: str) -> set[str]:
    """The modules that a program has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", TELL + code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr.rpartition("[")[0]
    return set(json.loads(done.stderr.splitlines()[-1]))


def command(*arguments: str) -> str:
    return f"from instyle_core.cli import main; main({list(arguments)!r})"


def test_the_test_sees_what_is_imported() -> None:
    assert "scipy" in imported_by("import scipy")


@pytest.mark.parametrize(
    "arguments",
    [
        ("plugins", "list"),
        ("plugins", "show", "vgg19"),
        ("pipeline", "validate", str(SPEC)),
        ("models", "list"),
    ],
)
def test_commands_that_compute_nothing(arguments: tuple[str, ...]) -> None:
    assert not imported_by(command(*arguments)) & HEAVY


@pytest.mark.parametrize("arguments", [("--help",), ("pipeline", "run", "--help")])
def test_help(arguments: tuple[str, ...]) -> None:
    assert not imported_by(command(*arguments)) & {*HEAVY, "pydantic", "yaml", "rich"}


def test_the_package() -> None:
    assert not imported_by("import instyle_core") & {*HEAVY, "pydantic"}
    plugin = "from instyle_core import Plugin, hookimpl"
    assert not imported_by(plugin) & {*HEAVY, "pydantic"}
