"""Batches are killed at random moments, alone or two side by side: no photo is lost or made twice.

    python tests/trials/kill_batch.py [--count 30] [--seed 0]

SIGKILL after a random time, at the start, between photos or while one is painted. After each kill,
every picture is whole or absent. Where two share a folder, the other one goes on and does all the
rest; alone, the batch is begun again and killed again, until it ends. Then every photo has the
bytes of a run of its own, none was told to be made twice, no hidden file is left, and a further
batch finds nothing to do.

Prints JSON; the status is 1 if something failed.
"""

from __future__ import annotations

import json
import random
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from project import HEIGHT, WIDTH, Trial, is_whole_picture, make_project, options, start

PHOTOS = 6
OPTIMIZER = {"use": "adam", "steps": 120, "scales": 2}


def make(folder: Path) -> Path:
    """A project with a folder of photos; returns the spec."""
    spec = make_project(folder, optimizer=OPTIMIZER)
    (folder / "photos").mkdir()
    for number in range(PHOTOS):
        levels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(levels).save(folder / "photos" / f"{number}.png")
    return spec


def begin(spec: Path, told: Path) -> subprocess.Popen[str]:
    """A batch; what it prints goes to a file, which outlives it."""
    folder = spec.parent
    arguments = ("batch", spec, folder / "photos", "-o", folder / "painted", "--json")
    with told.open("w") as out:
        return start(*arguments, folder=folder, stdout=out)


def main() -> None:
    given = options(__doc__, count=30)
    trial, chance = Trial("kill_batch"), random.Random(given.seed)
    wanted: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as name:
        spec = make(Path(name, "alone"))
        began = time.monotonic()
        for number in range(PHOTOS):
            photo = spec.parent / "photos" / f"{number}.png"
            out = spec.parent / f"{number}.png"
            run = ("pipeline", "run", spec, "-q", "--set", f"content={photo}", "--output", out)
            _, err = start(*run, folder=spec.parent).communicate()
            trial.expect(out.exists(), "a run failed", err=err)
            wanted[out.name] = out.read_bytes()
        # Those were as many starts of a process as photos.
        seconds = (time.monotonic() - began) / 2
        round_ = 0
        while trial.tried < given.count:
            round_ += 1
            folder = Path(name, str(round_))
            kill(trial, chance, make(folder), wanted, seconds, round_)
    trial.end(given)


def kill(
    trial: Trial,
    chance: random.Random,
    spec: Path,
    wanted: dict[str, bytes],
    seconds: float,
    round_: int,
) -> None:
    """Kill batches on one folder until one ends."""
    folder, output = spec.parent, spec.parent / "painted"
    together = chance.choice([1, 2])
    where = {"round": round_, "together": together, "after": []}
    logs: list[Path] = []
    running: list[subprocess.Popen[str]] = []
    while True:
        while len(running) < together:
            logs.append(folder / f"told-{len(logs)}.txt")
            running.append(begin(spec, logs[-1]))
        pause = chance.random() * seconds
        try:
            running[0].wait(pause)
        except subprocess.TimeoutExpired:
            running[0].kill()
            running.pop(0).communicate()
            trial.tried += 1
            where["after"].append(round(pause, 2))
            for path in output.glob("*.png"):
                trial.expect(is_whole_picture(path), "torn picture", picture=path.name, **where)
            if together == 2:
                break
        else:
            break
    for process in running:
        _, err = process.communicate()
        trial.expect(process.returncode == 0, "the last batch failed", err=err, **where)
    found = {path.name: path.read_bytes() for path in output.glob("*.png")}
    different = [name for name in wanted if found.get(name) != wanted[name]]
    trial.expect(not different, "missing, or other bytes", files=different, **where)
    rows = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    made = Counter(row["name"] for row in rows if row["status"] == "done")
    twice = [name for name, times in made.items() if times > 1]
    trial.expect(not twice, "made twice", files=twice, **where)
    left = [path.name for path in output.rglob(".*") if path.name != ".instyle-batch"]
    trial.expect(left == [], "left over", files=left, **where)
    logs.append(folder / "again.txt")
    begin(spec, logs[-1]).communicate()
    rows = [json.loads(line) for line in logs[-1].read_text().splitlines()]
    again = {row["status"] for row in rows}
    trial.expect(again == {"skipped"}, "there was something to do", statuses=[*again], **where)


if __name__ == "__main__":
    main()
