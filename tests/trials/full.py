"""A small disk that fills while a run is at work; and machines without a home or temporary folder.

    python tests/trials/full.py [--count 24] [--seed 0]

A disk of 20 MB is mounted (as root, on Linux) and holds the project. At a random step, or at the
start, it is filled but for some bytes; the working directory and the folder for temporary files are
on it too, or on another. Whatever happens, there is no traceback, an earlier picture is whole, and
the new one is in its place with status 0, or where the error says with status 1. If there is room
nowhere, the last checkpoint is still there. Once there is room again, a last run ends well, and
nothing is left over.

Then runs without a home, with a home that may not be written to, and without a folder for temporary
files.

Prints JSON; the status is 1 if something failed.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from project import Trial, environment, is_whole_picture, make_project, options, remains, start

MEGABYTES = 20


@contextmanager
def small_disk(folder: Path, *flags: str) -> Iterator[Path]:
    folder.mkdir()
    settings = ",".join([f"size={MEGABYTES}m", *flags])
    subprocess.run(["mount", "-t", "tmpfs", "-o", settings, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path, left: int) -> Path:
    """Fill a disk but for some bytes; returns the file that does."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    os.truncate(filler, max(0, filler.stat().st_size - left))
    return filler


def main() -> None:
    given = options(__doc__, count=24)
    trial, chance = Trial("full"), random.Random(given.seed)
    ends: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        for number in range(given.count):
            with small_disk(Path(name, f"disk-{number}")) as disk:
                end = run_on(trial, chance, disk, Path(name, f"other-{number}"), number)
            ends[end] = ends.get(end, 0) + 1
        homes(trial, Path(name))
    trial.facts["ends"] = ends
    trial.end(given)


def run_on(trial: Trial, chance: random.Random, disk: Path, other: Path, number: int) -> str:
    project = disk / "project"
    optimizer = {"use": "adam", "steps": 60, "scales": 2}
    spec = make_project(project, objects=2, optimizer=optimizer, snapshots=chance.choice([0, 10]))
    other.mkdir()
    work = chance.choice([disk, other])
    temporary = chance.choice([disk, other])
    left = chance.choice([0, 4096, 20_000, 100_000, 1_000_000])
    moment = chance.choice(["start", "loading", "painting", "painting", "painting"])
    earlier = chance.random() < 0.5
    where: dict[str, Any] = {
        "number": number,
        "work": "disk" if work == disk else "other",
        "temporary": "disk" if temporary == disk else "other",
        "left": left,
        "moment": moment,
        "earlier": earlier,
    }
    if earlier:
        shutil.copy(project / "photo.png", project / "out.png")
    old = (project / "out.png").read_bytes() if earlier else None
    arguments = ["pipeline", "run", spec, "--checkpoint", "0"]
    if moment == "start":
        fill(disk, left)
    process = start(*arguments, folder=work, env=environment(TMPDIR=str(temporary)))
    if moment == "loading":
        time.sleep(chance.uniform(0, 2))
    while moment == "painting" and process.poll() is None:
        if any(project.glob(".instyle-*/run.json")):
            time.sleep(chance.uniform(0, 1))
            break
        time.sleep(0.02)
    filler = fill(disk, left)
    out, err = process.communicate(timeout=300)
    trial.tried += 1
    trial.expect("Traceback" not in err + out, "a traceback", err=err, **where)
    trial.expect("should not happen" not in err, "an unknown error", err=err, **where)
    end = judge(trial, project, process.returncode, err, old, where)
    filler.unlink()
    resume = ["--resume"] if end == "checkpoint" else []
    process = start(*arguments, *resume, folder=work, env=environment(TMPDIR=str(temporary)))
    _, err = process.communicate(timeout=300)
    trial.expect(process.returncode == 0, "no run once there is room", err=err, **where)
    trial.expect(is_whole_picture(project / "out.png"), "no picture at the end", **where)
    trial.expect(remains(project) == [], "left over", files=remains(project), **where)
    return end


def judge(
    trial: Trial, project: Path, status: int, err: str, old: bytes | None, where: dict[str, Any]
) -> str:
    """What became of a run on a full disk."""
    picture = project / "out.png"
    if status == 0:
        trial.expect(is_whole_picture(picture), "status 0 without a picture", err=err, **where)
        return "in its place"
    now = picture.read_bytes() if picture.exists() else None
    trial.expect(now == old or is_whole_picture(picture), "the earlier picture is gone", **where)
    found = re.search(r"nothing is lost: it is (\S+?),", err)
    if found:
        trial.expect(
            is_whole_picture(Path(found[1])), "not where it is said to be", err=err, **where
        )
        return "elsewhere"
    if "painting" not in err:
        return "refused before painting"
    kept = any(project.glob(".instyle-*/run.json"))
    trial.expect(kept, "neither a picture nor a checkpoint", err=err, **where)
    return "checkpoint"


def homes(trial: Trial, folder: Path) -> None:
    """Runs without a home, and the like."""
    spec = make_project(folder / "homes", optimizer={"use": "adam", "steps": 2})
    missing = str(folder / "missing")
    with small_disk(folder / "read-only", "ro") as home:
        changes: dict[str, dict[str, str | None]] = {
            "no home": {"HOME": None, "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None},
            "a home that is not there": {"HOME": missing},
            "a read-only home": {"HOME": str(home)},
            "no temporary folder": {"TMPDIR": missing, "TMP": missing, "TEMP": missing},
            "an unknown user's cache": {"INSTYLE_CACHE": "~nosuch/cache"},
            "a cache on a read-only disk": {"INSTYLE_CACHE": str(home / "cache")},
        }
        for what, change in changes.items():
            base = {k: v for k, v in environment().items() if change.get(k, "") is not None}
            given = base | {k: v for k, v in change.items() if v is not None}
            for arguments in (
                ["pipeline", "run", str(spec)],
                ["models", "list"],
                ["plugins", "list"],
            ):
                process = start(*arguments, folder=spec.parent, env=given)
                _, err = process.communicate(timeout=300)
                trial.tried += 1
                trial.expect(process.returncode == 0, what, command=arguments[:2], err=err)
                trial.expect("Traceback" not in err, what, command=arguments[:2], err=err)


if __name__ == "__main__":
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise SystemExit("a small disk can only be mounted as root, on Linux")
    main()
