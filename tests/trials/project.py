"""What the trials have in common: small projects, runs in processes of their own, and a result.

The pictures are noise, and the losses are those of the toy plugin of the tests beside instyle's
own, so that a run takes seconds and reads no large weights.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "core" / "helpers" / "toy"

#: The width and height of the photo.
WIDTH, HEIGHT = 60, 44

#: What starts the command line, with the toy plugin.
COMMAND = [
    sys.executable,
    "-c",
    "import sys; from instyle_core.cli import main; main(sys.argv[1:])",
]


def environment(**more: str) -> dict[str, str]:
    """That of a process with the toy plugin and one thread."""
    path = os.pathsep.join([str(TOY), *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}


def make_project(folder: Path, *, seed: int = 0, objects: int = 1, **changes: Any) -> Path:
    """A photo, a style, masks and a spec in a new folder; returns the spec."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for name, size in (("photo", (HEIGHT, WIDTH)), ("style", (30, 40))):
        pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    boxes = [(20, 10, 41, 31), (35, 5, 55, 25)][:objects]
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[y0:y1, x0:x1] = 255
        Image.fromarray(mask).save(folder / f"mask-{number}.png")
    spec = {
        "version": 1,
        "content": "photo.png",
        "output": "out.png",
        "style": "style.png",
        "objects": [
            {"segmenter": {"use": "stencil", "path": f"mask-{number}.png"}}
            for number in range(objects)
        ],
        "losses": [{"use": "tint"}, {"use": "inks"}, {"use": "dice"}],
        "merger": {"use": "feather", "width": 6},
        "optimizer": {"use": "adam", "steps": 40, "scales": 2},
        "size": 128,
        **changes,
    }
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    return path


def start(*arguments: str | Path, folder: Path, **more: Any) -> subprocess.Popen[str]:
    """Start ``instyle`` in a folder; its output is captured unless `more` says otherwise."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    given = {"env": environment(), **pipes, **more}
    return subprocess.Popen([*COMMAND, *map(str, arguments)], cwd=folder, text=True, **given)


@dataclass
class Trial:
    """Counts what was tried, and keeps what failed."""

    name: str
    tried: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def expect(self, holds: bool, what: str, **where: Any) -> bool:
        """Note a failure unless something holds."""
        if not holds:
            self.failures.append({"what": what, **where})
            print(f"FAILED {what}: {where}", file=sys.stderr, flush=True)
        return holds

    def end(self, options: argparse.Namespace) -> None:
        """Print the result as JSON; the status is 1 if something failed."""
        given = {key: str(value) for key, value in vars(options).items()}
        result = {"trial": self.name, "tried": self.tried, "failed": len(self.failures), **given}
        print(json.dumps({**result, **self.facts, "failures": self.failures}, indent=1))
        sys.exit(bool(self.failures))


def options(description: str | None, count: int, more: Callable[..., None] | None = None) -> Any:
    """``--seed`` and ``--count``, and what `more` adds."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=count)
    if more:
        more(parser)
    return parser.parse_args()


def is_whole_picture(path: Path) -> bool:
    """Whether a file is a picture that can be decoded to its end, of the photo's size."""
    try:
        with Image.open(path) as image:
            image.load()
            return image.size == (WIDTH, HEIGHT)
    except OSError:
        return False


def remains(folder: Path) -> list[str]:
    """What a run should not leave behind: hidden files and folders."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))
