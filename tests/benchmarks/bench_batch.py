"""A batch against a process for each photo: photos an hour, the first result, memory, overhead.

    python tests/benchmarks/bench_batch.py FOLDER [--photos 60] [--side 384] [--alone 6]
        [--workers 1,2] [--cluster ray] [--style PICTURE] [--overhead 200] [--steps N]
    python tests/benchmarks/bench_batch.py --million

FOLDER has photos with cats, dogs and the like. So many of them, of this long side, are painted by
the preset `draft`: by one batch for each number of workers, and the first few by a process each.
All in one run, in turn, so that a drifting machine hits all alike. Prints JSON:

- photos an hour, and how many times that of a process for each photo;
- seconds until the first result of a batch, against one process;
- the memory of the batch's processes together after 10 photos and after the last (Linux);
- the batch's own milliseconds for each photo: of `--overhead` photos that were done before, which
  are all read, compared and skipped.

`--million` is about a million photos that nobody paints: the seconds and memory that their list,
outcomes and report take.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from PIL import Image, ImageOps

from instyle_batch.inputs import jobs_of
from instyle_batch.job import Outcome, Task
from instyle_batch.report import Report
from instyle_batch.work import Work
from instyle_core import preset_spec

MAIN = [sys.executable, "-c", "import sys; from instyle_core.cli import main; main(sys.argv[1:])"]
STYLE = Path(__file__).parents[2] / "instyle_core" / "demo" / "swirls.jpg"


def photos(source: Path, number: int, side: int, to: Path) -> list[Path]:
    """So many photos of a folder, shrunk to a long side."""
    to.mkdir()
    made: list[Path] = []
    for path in sorted(source.iterdir()):
        if path.suffix.lower() in (".jpg", ".jpeg", ".png") and len(made) < number:
            with Image.open(path) as image:
                small = ImageOps.contain(image.convert("RGB"), (side, side))
            made.append(to / f"{path.stem}.png")
            small.save(made[-1])
    return made


def memory_of(process: int) -> int:
    """The resident memory of a process and all below it, in bytes; 0 where that is not told."""
    try:
        fields = Path(f"/proc/{process}/statm").read_text().split()
        below = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return 0
    own = int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
    return own + sum(memory_of(int(child)) for child in below)


def batch(spec: Path, folder: Path, to: Path, *more: str) -> dict[str, Any]:
    """A batch, and when each of its photos was done."""
    command = [*MAIN, "batch", str(spec), str(folder), "-o", str(to), "--json", *more]
    began = time.perf_counter()
    times, memory, statuses = [], [], []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        for line in process.stdout:
            times.append(time.perf_counter() - began)
            memory.append(memory_of(process.pid))
            statuses.append(json.loads(line)["status"])
    return {"times": times, "memory": memory, "failed": statuses.count("failed")}


def alone(spec: Path, photo: Path, to: Path) -> tuple[float, bool]:
    """Seconds of a process of its own, and whether it found something to paint."""
    command = [*MAIN, "pipeline", "run", str(spec), "-q"]
    command += ["--set", f"content={photo}", "--output", str(to)]
    began = time.perf_counter()
    status = subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode
    return time.perf_counter() - began, status == 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--side", type=int, default=384)
    parser.add_argument("--alone", type=int, default=6)
    parser.add_argument("--workers", default="1")
    parser.add_argument("--cluster", help="as for `instyle batch`")
    parser.add_argument("--style", type=Path, default=STYLE)
    parser.add_argument("--overhead", type=int, default=200)
    parser.add_argument("--steps", type=int, help="for memory alone: fewer steps than `draft` has")
    given = parser.parse_args()
    if given.million:
        print(json.dumps(million(), indent=1))
        return
    if not given.folder:
        parser.error("a folder of photos is needed")
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        chosen = photos(given.folder, given.photos, given.side, top / "photos")
        spec = {**preset_spec("draft"), "content": "any.png", "output": "any.png"}
        if given.steps:
            spec["optimizer"] = {**spec["optimizer"], "steps": given.steps}
        spec |= {"style": str(given.style.absolute()), "objects": [{}], "device": "cpu"}
        path = top / "spec.yaml"
        path.write_text(yaml.safe_dump(spec))
        alone(path, chosen[0], top / "warm.png")  # files and sums are cached from now on
        each = [alone(path, photo, top / f"alone-{photo.name}") for photo in chosen[: given.alone]]
        if not any(found for _, found in each):
            parser.error("none of the first photos could be painted")
        a_process = statistics.mean(seconds for seconds, found in each if found)
        told: dict[str, Any] = {"seconds of a process for one photo": round(a_process, 2)}
        for workers in given.workers.split(","):
            to = top / f"painted-{workers}"
            more = ["--cluster", given.cluster] if given.cluster else []
            found = batch(path, top / "photos", to, "--workers", workers, *more)
            times, memory = found["times"], found["memory"]
            told[f"{workers} workers"] = {
                "photos": len(times),
                "failed": found["failed"],
                "seconds": round(times[-1], 1),
                "photos an hour": round(len(times) / times[-1] * 3600, 1),
                "times a process for each": round(a_process * len(times) / times[-1], 2),
                "first result, against one process": round(times[0] / each[0][0], 2),
                "megabytes after 10": round(memory[min(9, len(memory) - 1)] / 1e6),
                "megabytes at the end": round(memory[-1] / 1e6),
            }
        if given.overhead:
            told["milliseconds to skip a photo"] = overhead(top, path, given.overhead, chosen[0])
    print(json.dumps(told, indent=1))


def million() -> dict[str, float]:
    """What a million photos take without being painted."""
    began = time.perf_counter()
    names = (f"{number // 10_000:03}/{number:07}.jpg" for number in range(1_000_000))
    work, report = Work(jobs_of(((name, f"/photos/{name}") for name in names), [])), Report()
    while job := work.next(wait=0):
        outcome = Outcome(job, "done", 6.5)
        work.ended(outcome)
        report.add(outcome)
    counted = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report.write(Task("spec.yaml", folder), {}, 0)
        size = Path(folder, "batch.json").stat().st_size
    return {
        "seconds of list and outcomes": round(counted - began, 1),
        "seconds of the report": round(time.perf_counter() - counted, 1),
        "megabytes of memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
        "megabytes of batch.json": round(size / 1e6),
    }


def overhead(top: Path, spec: Path, number: int, photo: Path) -> float:
    """The batch's own milliseconds for each photo that was done before."""
    folder, to = top / "many", top / "many-painted"
    folder.mkdir()
    one = photo.read_bytes()
    for index in range(number):
        (folder / f"{index:05}.png").write_bytes(one + b"%d" % index)  # after the picture's end
    batch(spec, folder, to, "--set", "optimizer.steps=1", "--set", "size=32")
    times = batch(spec, folder, to, "--set", "optimizer.steps=1", "--set", "size=32")["times"]
    return round((times[-1] - times[0]) / (len(times) - 1) * 1000, 2)


if __name__ == "__main__":
    main()
