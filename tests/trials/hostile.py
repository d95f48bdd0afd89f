"""Inputs by somebody who means harm: specs, pictures, masks, weights, run folders and plugins.

    python tests/trials/hostile.py [--count 500] [--seed 0] [--first 0]

Half of the inputs are carried out with `pipeline run`, or resumed; the others are for `validate`,
`segment`, `models verify` and `plugins list`. The files `hostile_*.py` make them.
Whatever they are, there is no traceback and no unknown error, none takes 20 s or 4 GB, no code in
data is run, and nothing is written, changed or removed but the output, its run folder, hidden files
beside them, and the cache. Where the status is 0, the picture is whole; and a spec that `validate`
calls fine is carried out.

A process of its own tries 20 inputs. What fails or ends there is tried again alone; that counts.

Prints JSON; the status is 1 if something failed.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import importlib
import io
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from project import ROOT, TOY, Trial, environment, options

#: Inputs that a process tries, and the seconds and bytes that one may take.
BATCH, SECONDS, BYTES = 20, 20, 4 * 10**9

#: What becomes of an input: the statuses of the command line.
STATUSES = (0, 1, 2, 3, 130)


def snapshot(folder: Path) -> dict[str, str]:
    """Names below a folder, but those that a run may write; with their kind and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        own = len(name.parts) > 1 and name.parts[1].startswith(("out.", ".instyle-"))
        if name.parts[0] == "cache" or (name.parts[0] == "project" and own):
            continue
        mode = path.lstat().st_mode
        content = str(stat.S_IFMT(mode))
        if stat.S_ISLNK(mode):
            content += os.readlink(path)
        elif stat.S_ISREG(mode):
            content += hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(name)] = content
    return found


def call(arguments: list[str]) -> tuple[Any, str, str]:
    """Run the command line in this process: its status, output and messages."""
    from instyle_core.cli import main

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    status: Any = "none"
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as end:
            status = end.code
        except BaseException:
            err.write(traceback.format_exc())
    texts = [stream.buffer.getvalue().decode("utf-8", "replace") for stream in (out, err)]
    return status, *texts


def attempt(number: int, seed: int, folder: Path) -> list[dict[str, Any]]:
    """Try one input; what is wrong with what became of it."""
    from hostile_inputs import make

    case = make(number, seed, folder)
    before = snapshot(folder)
    os.chdir(folder / "project")
    os.environ["INSTYLE_CACHE"] = str(folder / "cache")
    path = [*sys.path]
    sys.path[:0] = case.path
    importlib.invalidate_caches()
    wrong: list[dict[str, Any]] = []
    statuses: list[Any] = []
    try:
        for command in case.commands:
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            status, out, err = call(command)
            faulthandler.cancel_dump_traceback_later()
            statuses.append(status)
            for what in faults(status, out, err, command, folder):
                wrong.append({"what": what, "command": command, "err": err[-3000:]})
            if what := case.judge(statuses, err):
                wrong.append({"what": what, "command": command, "err": err[-3000:]})
    finally:
        sys.path[:] = path
        os.chdir(ROOT)
    after = snapshot(folder)
    if changed := [name for name in {**before, **after} if before.get(name) != after.get(name)]:
        wrong.append({"what": "written outside", "names": changed[:5], "err": err[-300:]})
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > BYTES:
        wrong.append({"what": "much memory"})
    return [{**fault, "number": number, "case": case.name} for fault in wrong] or [
        {"number": number, "case": case.name, "statuses": statuses}
    ]


def faults(status: Any, out: str, err: str, command: list[str], folder: Path) -> list[str]:
    """What is wrong with the end of any command."""
    found = []
    if status not in STATUSES:
        found.append(f"the status {status}")
    if "Traceback" in err + out:
        found.append("a traceback")
    if "should not happen" in err:
        found.append("an unknown error")
    if "\x1b" in out + err:
        found.append("commands for the terminal")
    if status == 0 and "--json" in command and not _is_json(out):
        found.append("no JSON")
    if status == 0 and command[:2] == ["pipeline", "run"]:
        for picture in (folder / "project").glob("out.*"):
            if picture.is_file() and not _is_picture(picture):
                found.append("no whole picture")
    return found


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
        return True
    except ValueError:
        return False


def _is_picture(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
            return True
    except OSError:
        return False


def child(numbers: list[int], seed: int, folder: Path) -> None:
    """Try some inputs in this process; prints a line for each."""
    resource.setrlimit(resource.RLIMIT_AS, (16 * 10**9, 16 * 10**9))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    stdout = os.fdopen(os.dup(1), "w", buffering=1)
    sys.path.insert(0, str(TOY))
    sys.path.insert(0, str(ROOT))
    from hostile_inputs import warm_up

    warm_up(folder)
    for number in numbers:
        place = folder / str(number)
        place.mkdir()
        for fault in attempt(number, seed, place):
            print(json.dumps(fault), file=stdout)


def tried(numbers: list[int], seed: int) -> tuple[dict[int, list[dict[str, Any]]], str]:
    """What became of inputs in a process of their own, and its last words if it did not end."""
    found: dict[int, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        command = [sys.executable, __file__, "--seed", str(seed), "--child", name]
        process = subprocess.run(
            [*command, *map(str, numbers)],
            env=environment(INSTYLE_OFFLINE="1"),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60 + 3 * SECONDS * len(numbers),
        )
    for line in process.stdout.splitlines():
        fault = json.loads(line)
        found.setdefault(fault["number"], []).append(fault)
    return found, process.stderr[-3000:] if process.returncode else ""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("numbers", type=int, nargs="*", help="only these inputs")


def main() -> None:
    given = options(__doc__, count=500, more=add)
    if given.child:
        child(given.numbers, given.seed, given.child)
        return
    trial = Trial("hostile")
    kinds: dict[str, dict[str, int]] = {}
    last = given.first + given.count
    rest = given.numbers or list(range(given.first, last))
    while rest:
        batch = rest[:BATCH]
        found, _ = tried(batch, given.seed)
        done = [number for number in batch if number in found]
        if len(done) < len(batch):  # the process ended within the next
            batch = batch[: len(done) + 1]
        rest = rest[len(batch) :]
        for number in batch:
            results = found.get(number, [])
            if not results or any("what" in result for result in results):
                again, words = tried([number], given.seed)
                results = again.get(number) or [{"number": number, "what": "died", "err": words}]
            trial.tried += 1
            for result in results:
                trial.expect("what" not in result, result.pop("what", ""), **result)
                ends = kinds.setdefault(result.get("case", "?").partition(":")[0], {})
                for status in result.get("statuses", ["failed"]):
                    ends[str(status)] = ends.get(str(status), 0) + 1
    trial.facts["statuses"] = kinds
    trial.end(given)


if __name__ == "__main__":
    main()
