"""Many runs at once, on one cache and in one folder; some write the same picture.

    python tests/trials/crowd.py [--count 3] [--seed 0] [--runs 8]

In each of `--count` rounds, so many runs begin at the same moment with an empty cache, and read
VGG-19, whose converted weights and sums of the style they all want to keep there. Half of the
rounds have one output name for all, the other half one for each. Every run ends with status 0,
every picture is whole and is that of the seed in its `run.json`, and nothing else is left.

Prints JSON; the status is 1 if something failed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from project import Trial, environment, make_project, options, remains, start

LOSSES: list[dict[str, Any]] = [
    {"use": "style", "layers": ["relu1_1", "relu2_1"]},
    {"use": "tint"},
]
OPTIMIZER = {"use": "adam", "steps": 3, "scales": 1}


def run(spec: Path, name: str, seed: int, cache: Path) -> subprocess.Popen[str]:
    return start(
        *("pipeline", "run", spec, "--seed", str(seed), "--output", name),
        folder=spec.parent,
        env=environment(INSTYLE_CACHE=str(cache)),
    )


def add_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=8)


def main() -> None:
    given = options(__doc__, count=4, more=add_runs)
    trial = Trial("crowd")
    with tempfile.TemporaryDirectory() as name:
        alone = Path(name, "alone")
        spec = make_project(alone, losses=LOSSES, optimizer=OPTIMIZER, start="noise")
        pictures = {}
        for seed in range(given.seed, given.seed + given.runs):
            _, err = run(spec, "out.png", seed, Path(name, "cache")).communicate(timeout=600)
            trial.expect((alone / "out.png").exists(), "a run alone failed", err=err)
            pictures[seed] = (alone / "out.png").read_bytes()
        for number in range(given.count):
            one_name = number % 2 == 0
            crowd(trial, Path(name, str(number)), pictures, one_name)
    trial.end(given)


def crowd(trial: Trial, folder: Path, pictures: dict[int, bytes], one_name: bool) -> None:
    project, cache = folder / "project", folder / "cache"
    spec = make_project(project, losses=LOSSES, optimizer=OPTIMIZER, start="noise")
    before = {path.name for path in project.iterdir()}
    names = {seed: "out.png" if one_name else f"out-{seed}.png" for seed in pictures}
    processes = {seed: run(spec, names[seed], seed, cache) for seed in pictures}
    for seed, process in processes.items():
        _, err = process.communicate(timeout=600)
        trial.tried += 1
        trial.expect(process.returncode == 0, "a run of the crowd failed", seed=seed, err=err)
    for name in {*names.values()}:
        record = json.loads((project / f"{name}.run" / "run.json").read_text())
        seed = record["spec"]["seed"]
        same = (project / name).read_bytes() == pictures[seed]
        trial.expect(same, "the picture is not that of its record", name=name, seed=seed)
    expected = before | {*names.values()} | {f"{name}.run" for name in names.values()}
    found = {path.name for path in project.iterdir()}
    trial.expect(found == expected, "left over", files=sorted(found ^ expected))
    torn = [str(path) for path in cache.rglob("*") if path.name.startswith(".")]
    trial.expect(torn == [], "left over in the cache", files=torn)
    trial.expect(remains(project) == [], "left over", files=remains(project))


if __name__ == "__main__":
    main()
