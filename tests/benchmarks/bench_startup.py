"""How fast the command line answers, as ratios to `python -c pass` of the same run.

python tests/benchmarks/bench_startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROUNDS = 5
ROOT = Path(__file__).parents[2]
SPEC = ROOT / "docs" / "examples" / "one-object.yaml"
MAIN = "import sys; from instyle_core.cli import main; main(sys.argv[1:])"
OUTPUT = Path(tempfile.gettempdir()) / "instyle-startup.png"
LARGE = Path(tempfile.gettempdir()) / "instyle-startup.jpg"
RUN = ["-c", MAIN, "pipeline", "run", str(SPEC), "--quiet", "--output", str(OUTPUT)]
BOX = ["--set", "objects.0.select.box=[0, 0, 5384, 3988]"]
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "instyle --help": ["-c", MAIN, "--help"],
    "instyle plugins list": ["-c", MAIN, "plugins", "list"],
    "instyle pipeline validate": ["-c", MAIN, "pipeline", "validate", str(SPEC)],
    "python -c 'import torch'": ["-c", "import torch"],
    # All of a run but its later steps: imports, weights, object, targets at 512 pixels, merging.
    "a run of one step": [*RUN, "--set", "optimizer.steps=1", "--set", "optimizer.scales=1"],
    "a preview": [*RUN, "--preview"],
    "a preview of 24 megapixels": [*RUN, "--preview", "--set", f"content={LARGE}", *BOX],
}


def seconds(arguments: list[str]) -> float:
    """Wall time of one run of the interpreter."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    with Image.open(ROOT / "instyle_core" / "demo" / "cat.png") as photo:
        photo.convert("RGB").resize((6000, 4000)).save(LARGE, quality=92)
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS + 1):  # in turn, so that a drifting machine hits all alike
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    medians = {name: statistics.median(runs[1:]) for name, runs in times.items()}
    base = medians["python -c pass"]
    for name, median in medians.items():
        print(f"{name:28} {median * 1000:7.0f} ms {median / base:7.1f} x")


if __name__ == "__main__":
    main()
