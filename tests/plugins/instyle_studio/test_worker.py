"""A worker process: requests in, answers out, and an end when nobody asks any more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from instyle_core import InputError, SpecError
from instyle_studio.worker import attempt


def failing(error: BaseException) -> object:
    def work() -> None:
        raise error

    return attempt(work)


def test_what_work_comes_to() -> None:
    assert attempt(lambda: {"a": 1}) == {"answer": {"a": 1}}
    problem = {"what": "x", "where": "y", "hint": "z"}
    error = InputError("x", where="y", hint="z")
    assert failing(error) == {"error": {**problem, "exit_status": 2}}
    assert failing(SpecError([error]))["error"]["problems"] == [problem]  # type: ignore[index]
    assert "memory" in str(failing(MemoryError()))
    unexpected = str(failing(ZeroDivisionError("secret")))
    assert "should not happen" in unexpected
    assert "secret" not in unexpected


CODE = """
import sys
from instyle_studio import worker

class Echo:
    def prepare(self):
        print("a plugin prints this\\n", end="")  # at once: two threads write
    def __call__(self, request, tell):
        print("and this\\n", end="")
        tell({"about": request["number"]})
        return request["number"] + 1
    def interrupt(self, what):
        print(f"interrupt {what}\\n", end="", file=sys.stderr)

worker._handler = lambda *arguments: Echo()
worker.main()
"""


def test_its_answers_are_lines_and_it_ends_with_its_input(tmp_path: Path) -> None:
    lines = [{"number": 1}, {"interrupt": "that"}, {"number": 5}]
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "echo", str(tmp_path), "1"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    for line in lines:
        process.stdin.write(json.dumps(line) + "\n")
    process.stdin.flush()
    told = [json.loads(process.stdout.readline()) for _ in range(5)]
    assert told == [
        {"answer": None},
        {"event": {"about": 1}},
        {"answer": 2},
        {"event": {"about": 5}},
        {"answer": 6},
    ]
    out, err = process.communicate(timeout=30)
    assert (out, process.returncode) == ("", 0)
    assert err.splitlines().count("and this") == 2
    assert "interrupt that" in err
