"""Which modules a program imports."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {
    "torch",
    "torchvision",
    "kornia",
    "cv2",
    "segmentation_models_pytorch",
    "timm",
    "transformers",
    "onnxruntime",
    "scipy",
    "skimage",
}

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
