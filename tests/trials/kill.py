"""Runs are killed at random moments, and resumed: the bytes are those of an unbroken run.

    python tests/trials/kill.py [--count 50] [--seed 0]

SIGKILL, as by the out-of-memory killer, after a random time: at the start, while it paints or
writes. Runs have one object or two, Adam or L-BFGS, tiles or none, snapshots or none, and a
checkpoint after each step or after a part of a second. A run that ends before it is killed does not
count. After each kill, the picture and the run folder are whole or absent. Then the run is resumed,
or begun anew where there is no checkpoint yet; its picture has the bytes of the unbroken run, and
no hidden file is left.

Prints JSON; the status is 1 if something failed.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

from project import Trial, is_whole_picture, make_project, options, remains, start

ADAM = {"use": "adam", "steps": 100, "scales": 2}
L_BFGS = {"use": "lbfgs", "steps": 40, "scales": 2}

VARIANTS: list[dict[str, Any]] = [
    {"objects": objects, "optimizer": optimizer, "tile": tile, "snapshots": snapshots}
    for objects in (1, 2)
    for optimizer in (ADAM, L_BFGS)
    for tile, snapshots in (("auto", 0), (64, 5))
]


def done(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, err = process.communicate(timeout=300)
    return process.returncode, err


def outputs(folder: Path) -> dict[str, bytes]:
    """The files whose bytes tell nothing of time."""
    names = ["out.png", "out.png.run/losses.csv"]
    names += [f"out.png.run/object-{i}/{kind}.png" for i in (0, 1) for kind in ("mask", "stylized")]
    return {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}


def main() -> None:
    given = options(__doc__, count=50)
    trial, chance = Trial("kill"), random.Random(given.seed)
    moments = {"resumed": 0, "begun anew": 0, "was published": 0}
    with tempfile.TemporaryDirectory() as name:
        expected: dict[int, tuple[dict[str, bytes], float]] = {}  # bytes; seconds of painting
        for number in count():
            if trial.tried >= given.count:
                break
            variant = chance.randrange(len(VARIANTS))
            folder = Path(name, str(number))
            spec = make_project(folder, **VARIANTS[variant])
            if variant not in expected:
                process = start("pipeline", "run", spec, "--checkpoint", "0", folder=folder)
                wait_for_checkpoint(process, folder)
                began = time.monotonic()
                while process.poll() is None and not (folder / "out.png.run").exists():
                    time.sleep(0.01)
                seconds = time.monotonic() - began
                status, err = done(process)
                trial.expect(status == 0, "the unbroken run failed", err=err)
                expected[variant] = outputs(folder), seconds
                shutil.rmtree(folder)
                make_project(folder, **VARIANTS[variant])
            wanted, seconds = expected[variant]
            where = {"number": number, "variant": VARIANTS[variant]}
            kill(trial, chance, spec, wanted, seconds, moments, where)
            shutil.rmtree(folder)
    trial.facts["after the kill"] = moments
    trial.end(given)


def wait_for_checkpoint(process: subprocess.Popen[str], folder: Path) -> None:
    while process.poll() is None and not any(folder.glob(".instyle-*/run.json")):
        time.sleep(0.01)


def can_resume(folder: Path) -> bool:
    """Whether there is a checkpoint, and not the files of a run that is done."""
    found = [json.loads(path.read_text()) for path in folder.glob(".instyle-*/run.json")]
    return any(record["status"] == "running" for record in found)


def kill(
    trial: Trial,
    chance: random.Random,
    spec: Path,
    wanted: dict[str, bytes],
    seconds: float,
    moments: dict[str, int],
    where: dict[str, Any],
) -> None:
    """Kill one run, perhaps twice, and let it end."""
    folder = spec.parent
    every = chance.choice(["0", "0.2"])
    where |= {"checkpoint": every, "after": []}
    arguments = ["pipeline", "run", spec, "--checkpoint", every]
    for _ in range(chance.choice([1, 1, 2])):
        resume = ["--resume"] if can_resume(folder) else []
        process = start(*arguments, *resume, folder=folder)
        began = time.monotonic()
        if chance.random() < 0.8:  # most moments are when it paints: after the first checkpoint
            wait_for_checkpoint(process, folder)
            time.sleep(chance.random() * seconds)
        else:
            time.sleep(chance.random() * 8)
        pause = time.monotonic() - began
        is_late = process.poll() is not None
        process.kill()
        done(process)
        if is_late:  # it was not killed
            return
        where["after"].append(round(pause, 3))
        picture = folder / "out.png"
        trial.expect(not picture.exists() or is_whole_picture(picture), "torn picture", **where)
        record = folder / "out.png.run" / "run.json"
        if (folder / "out.png.run").exists():
            trial.expect(
                json.loads(record.read_text())["status"] == "finished", "torn folder", **where
            )
            break
    trial.tried += 1
    is_done = (folder / "out.png.run").exists()
    resume = ["--resume"] if can_resume(folder) and not is_done else []
    moments["was published" if is_done else "resumed" if resume else "begun anew"] += 1
    status, err = done(start(*arguments, *resume, folder=folder))
    trial.expect(status == 0, "the last run failed", err=err, **where)
    found = outputs(folder)
    different = [name for name in wanted if found.get(name) != wanted[name]]
    trial.expect(not different, "other bytes", files=different, **where)
    trial.expect(remains(folder) == [], "left over", files=remains(folder), **where)


if __name__ == "__main__":
    main()
