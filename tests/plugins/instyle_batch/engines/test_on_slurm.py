import importlib
import json
import os
import pickle
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from instyle_batch.engines import on_slurm
from instyle_batch.engines.on_slurm import OnSlurm, Part
from instyle_batch.job import Outcome, Task
from instyle_batch.work import Work
from instyle_core import InputError, InstyleError
from tests.core.helpers.commands import Command
from tests.core.helpers.site import Site
from tests.core.helpers.studio import Studio
from tests.plugins.instyle_batch.engines.slowly import STEPS, Slowly, install, is_whole, wait

LOCAL = {"cluster": "local"}


@pytest.fixture
def slow(studio: Studio, site: Site, monkeypatch: pytest.MonkeyPatch) -> Slowly:
    install(site, monkeypatch)
    return Slowly(studio, photos=3, seconds=0.05)


def carry_out(slow: Slowly, during: Callable[[], None] = lambda: None) -> list[Outcome]:
    """All outcomes of one part on this machine, while something happens to it."""
    thread = threading.Thread(target=during)
    thread.start()
    work, found = Work(slow.jobs), []
    told: Counter[str] = Counter()
    engine = OnSlurm(1, LOCAL)
    for outcome in engine.outcomes(work, slow.task, lambda job, event: told.update([job.name])):
        work.ended(outcome)
        found.append(outcome)
    thread.join()
    assert work.is_over
    assert max(told.values()) == 1
    return found


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_part_that_is_preempted_goes_on_from_the_checkpoint_of_its_photo(slow: Slowly):
    def preempt() -> None:
        slow.wait(STEPS + STEPS // 2)
        os.kill(slow.steps[-1], signal.SIGUSR2)

    outcomes = carry_out(slow, preempt)
    assert [(outcome.job.name, outcome.status) for outcome in outcomes] == [
        (name, "done") for name in slow.names
    ]
    assert all(is_whole(slow.painted / name) for name in slow.names)
    assert len(slow.steps) == 3 * STEPS  # none was taken twice
    assert len({*slow.steps}) == 2
    first_life = slow.steps.count(slow.steps[0])
    records = [slow.painted / f"{name}.run" / "run.json" for name in slow.names]
    resumed = [json.loads(record.read_text())["resumed"] for record in records]
    assert resumed == [[], [{"object": "object-0", "step": first_life - STEPS}], []]


def test_photos_of_a_part_that_is_lost_are_failures(slow: Slowly, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("submitit.core.core.Job._results_timeout_s", 0)

    def kill() -> None:
        slow.wait(STEPS + STEPS // 2)
        os.kill(slow.steps[-1], signal.SIGKILL)

    outcomes = carry_out(slow, kill)
    assert [outcome.status for outcome in outcomes] == ["done", "failed", "failed"]
    log = Path(outcomes[1].reason.rpartition("; see ")[2])
    assert log.is_file()
    assert log.is_relative_to(slow.painted / ".instyle-batch" / "slurm")


def test_closing_cancels_the_jobs(slow: Slowly):
    outcomes = OnSlurm(1, LOCAL).outcomes(Work(slow.jobs), slow.task, lambda *_: None)
    assert next(outcomes).status == "done"
    outcomes.close()
    wait(lambda: not is_alive(slow.steps[-1]))
    assert len(slow.steps) < 3 * STEPS


@pytest.fixture
def _signals() -> Iterator[None]:
    """A part has handlers of its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR2)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals")
def test_other_versions_of_a_job_are_the_error_of_the_batch(slow: Slowly):
    part = Part(slow.jobs, slow.task, slow.folder / "part-0.jsonl", {"torch": "1.0"})
    error = part()
    assert isinstance(error, InputError)
    assert not slow.steps

    class Submitted:
        state = "COMPLETED"

        def result(self) -> InstyleError:
            return pickle.loads(pickle.dumps(error))  # as it comes from the job

    with pytest.raises(InputError, match="does not have the versions"):
        on_slurm._reason(Submitted())  # type: ignore[arg-type]


def test_jobs_are_an_array_with_what_they_ask_for(
    slow: Slowly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("sbatch", "srun", "scancel", "sacct"):
        command = commands / name
        command.write_text(
            f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/called\n'
            f'test {name} = sbatch && cp "$1" {tmp_path}/script && echo Submitted batch job 12\n'
        )
        command.chmod(0o755)
    monkeypatch.setenv("PATH", str(commands), prepend=os.pathsep)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(on_slurm.time, "sleep", interrupt)
    settings = {"slurm_partition": "long", "gpus_per_node": 1, "timeout_min": 30}
    with pytest.raises(KeyboardInterrupt):
        next(OnSlurm(2, settings).outcomes(Work(slow.jobs), slow.task, lambda *_: None))
    script = (tmp_path / "script").read_text()
    for line in ("array=0-1%2", "partition=long", "gpus-per-node=1", "time=30"):
        assert f"#SBATCH --{line}\n" in script
    cancelled = [
        line for line in (tmp_path / "called").read_text().splitlines() if "scancel" in line
    ]
    assert cancelled == ["scancel 12_0", "scancel 12_1"]


def test_without_slurm_there_is_an_error(slow: Slowly, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="cannot submit jobs"):
        next(OnSlurm(1, {}).outcomes(Work(slow.jobs), slow.task, print))


def test_a_setting_that_there_is_not_is_refused(slow: Slowly):
    with pytest.raises(InputError, match="gpus"):
        next(OnSlurm(1, {**LOCAL, "gpus": 1}).outcomes(Work(slow.jobs), slow.task, print))


def test_logs_need_a_folder(slow: Slowly):
    task = Task(str(slow.spec), "s3://bucket/painted")
    with pytest.raises(InputError, match="folder that all machines share"):
        next(OnSlurm(1, LOCAL).outcomes(Work(slow.jobs), task, print))


def test_a_watched_folder_is_refused(slow: Slowly, instyle: Command):
    done = instyle(
        "batch", slow.spec, slow.photos, "-o", slow.painted, "--watch", "--cluster", "slurm"
    )
    assert done.status == 2
    assert "--watch" in done.err


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path):
    path = tmp_path / "part-0.jsonl"
    assert on_slurm._lines(path) == ([], 0)
    path.write_bytes(b'\n{"name": "a"}\n\n{"na')
    found, place = on_slurm._lines(path)
    assert found == [{"name": "a"}]
    with path.open("ab") as file:
        file.write(b'\n{"name": "b"}\n')
    found, place = on_slurm._lines(path, place)
    assert found == [{"name": "b"}]
    assert place == path.stat().st_size


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    monkeypatch.delitem(sys.modules, "instyle_batch.engines.on_slurm")
    with pytest.raises(InstyleError, match="needs the package 'submitit'") as caught:
        importlib.import_module("instyle_batch.engines.on_slurm")
    assert caught.value.hint == "pip install 'instyle[slurm]'"
