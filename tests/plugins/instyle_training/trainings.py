"""Short trainings by the command line of a network, and what they leave behind."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

from tests.core.helpers.commands import Done
from tests.core.helpers.forks import Forked

TINY = "tu-test_efficientnet"
TIMEOUT_S = 300  # other programs may keep the processors busy


def options(network: str, data: Path, output: Path, /, **changes: object) -> list[str]:
    """The command of ``instyle NETWORK train`` for two epochs of two steps; None leaves one out."""
    given: dict[str, object] = {
        "data": data,
        "output": output,
        "encoder": TINY,
        "encoder-weights": "none",
        "epochs": 2,
        "batch": 4,
        "precision": "32-true",
        "accelerator": "cpu",
        "devices": 1,
        "workers": 0,
    }
    pairs = [(name, value) for name, value in (given | changes).items() if value is not None]
    return [network, "train", *(str(x) for name, value in pairs for x in (f"--{name}", value))]


def files(folder: Path) -> set[str]:
    """All files in a folder, without what loggers number by time."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "tensorboard" not in path.parts
    }


def log(folder: Path, score: str, version: int = 0) -> list[tuple[int, float]]:
    """Epochs, and the score on the validation photos after each."""
    with (folder / "logs" / f"version_{version}" / "metrics.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row[score]]
    return [(int(row["epoch"]), float(row[score])) for row in rows]


def python(code: str, arguments: list[str], **environment: str) -> Done:
    """Run a program as the script ``instyle`` is run: a file, which Lightning may start again."""
    folder = Path(arguments[arguments.index("--output") + 1])
    folder.parent.mkdir(parents=True, exist_ok=True)
    script = folder.with_name("script.py")
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )
    return Done(done.returncode, done.stdout, done.stderr)


def kill(code: str, arguments: list[str]) -> int | None:
    """The exit status of a program that kills itself; what it prints is lost."""
    # Not kept: the processes that read photos hold on to it for seconds after the end.
    lost = {name: os.open(os.devnull, os.O_WRONLY) for name in ("out", "err")}
    process = Forked(code, *arguments, folder=Path(), **lost)
    process.communicate()
    return process.returncode
