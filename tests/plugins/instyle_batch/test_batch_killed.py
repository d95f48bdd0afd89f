"""A batch that is stopped or killed loses the photo under way at most; two share the work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from instyle_batch.job import Job, Task
from instyle_batch.plans import plan_for
from instyle_core import is_done
from tests.core.helpers.commands import start
from tests.plugins.instyle_batch.conftest import Batch

NAMES = tuple(f"{letter}.png" for letter in "abcdef")


def begin(batch: Batch, spec: Path) -> subprocess.Popen[str]:
    """The batch in a process of its own, once its first photo is done."""
    process = start(
        "batch", spec, batch.folder / "photos", "-o", batch.output, "--json", folder=batch.folder
    )
    assert process.stdout
    assert process.stdout.readline()
    return process


@pytest.fixture
def spec(batch: Batch) -> Path:
    batch.photos(*NAMES)
    optimizer = {"use": "adam", "parametrization": "pixels", "steps": 300, "learning_rate": 0.1}
    return batch.spec(optimizer=optimizer)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_the_photo_under_way_goes_on(batch: Batch, spec: Path, number: signal.Signals) -> None:
    process = begin(batch, spec)
    time.sleep(0.05)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == 130
    counts = batch.record["counts"]
    assert counts["missing"] == len(NAMES) - counts["done"] - counts.get("interrupted", 0) > 0
    done = batch.run(spec=spec)
    assert done.status == 0, done.err
    assert {*batch.statuses.values()} == {"done", "skipped"}
    assert batch.pictures() == {*NAMES}


def test_two_at_once_share_the_work_and_a_killed_one_leaves_no_lock(
    batch: Batch, spec: Path
) -> None:
    first, second = begin(batch, spec), begin(batch, spec)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    out, err = second.communicate()
    assert second.returncode == 0, err
    assert batch.pictures() == {*NAMES}
    task = Task(str(spec), str(batch.output))
    for name in NAMES:
        photo = batch.folder / "photos" / name
        assert is_done(plan_for(Job(name, str(photo)), task, photo, batch.output / name))
    rows = [json.loads(line) for line in out.splitlines()]
    told = Counter(row["name"] for row in rows)
    # All but the line that `begin` has read, none twice.
    assert {*told.values()} == {1}
    assert sum(told.values()) == len(NAMES) - 1
    left = [path for path in batch.output.rglob(".*") if path.name != ".instyle-batch"]
    assert left == []
    assert os.path.getsize(batch.output / ".instyle-batch" / "lock") == 0
