import importlib
import json
import os
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from instyle_batch.engines import on_ray
from instyle_batch.engines.on_ray import OnRay
from instyle_batch.job import Job, Outcome
from instyle_batch.work import Work
from instyle_core import InputError, InstyleError
from tests.core.helpers.site import Site
from tests.core.helpers.studio import Studio
from tests.plugins.instyle_batch.engines.slowly import STEPS, Slowly, install, is_whole


@pytest.fixture(scope="module")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cluster with room for two workers, a core each, which have the slow loss."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",
        }.items():
            patch.setenv(name, value)
        with Site.open(tmp_path_factory.mktemp("ray") / "site", patch) as site:
            install(site, patch)
            cluster = Cluster(
                initialize_head=True,
                head_node_args={
                    "num_cpus": 2,
                    "object_store_memory": 80 << 20,
                    "include_dashboard": False,
                },
            )
            patch.setenv("RAY_ADDRESS", cluster.address)
            yield
            cluster.shutdown()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def status(slow: Slowly, name: str) -> str:
    record = slow.painted / f"{name}.run" / "run.json"
    return json.loads(record.read_text())["status"] if record.exists() else ""


@pytest.mark.usefixtures("_cluster")
def test_all_photos_arrive_once_though_a_worker_is_killed(
    studio: Studio, capfd: pytest.CaptureFixture[str]
):
    slow = Slowly(studio, photos=6, seconds=0.05)
    killed: list[int] = []
    told: Counter[str] = Counter()

    def kill() -> None:
        slow.wait(STEPS + STEPS // 2)
        killed.append(slow.steps[-1])
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    work, outcomes = Work(slow.jobs), []
    tasks = OnRay("ray", None, {})
    for outcome in tasks.outcomes(work, slow.task, lambda job, event: told.update([job.name])):
        work.ended(outcome)
        outcomes.append(outcome)
    killer.join()
    assert sorted(outcome.job.name for outcome in outcomes) == slow.names
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert all(is_whole(slow.painted / name) for name in slow.names)
    assert told == Counter(slow.names)
    assert killed[0] in slow.steps
    # Two processes and the one that took the place of the killed one carried out all of them.
    assert len({*slow.steps}) <= 3
    assert STEPS * 6 < len(slow.steps) < STEPS * 7
    assert capfd.readouterr().out == ""  # Ray, too, has nothing to say there


@pytest.mark.usefixtures("_cluster")
def test_closing_saves_what_is_under_way_and_tasks_get_what_they_ask_for(studio: Studio):
    slow = Slowly(studio, photos=3, seconds=0.1)
    outcomes = OnRay("ray", None, {}).outcomes(Work(slow.jobs), slow.task, lambda *_: None)

    def interrupt() -> None:
        slow.wait(5)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    outcomes.close()
    before = slow.steps
    assert "interrupted" in {status(slow, name) for name in slow.names}

    work, done = Work(slow.jobs), []
    for outcome in OnRay("ray", None, {"num_cpus": 2}).outcomes(work, slow.task, lambda *_: None):
        work.ended(outcome)
        done.append(outcome.status)
    assert len(done) == 3
    assert {*done} <= {"done", "skipped"}
    assert len(slow.steps) == 3 * STEPS  # none was taken twice
    # Each needs both cores, so one process has steps after the other, never in between.
    later = [process for process, _ in groupby(slow.steps[len(before) :])]
    assert len(later) == len({*later})


@pytest.mark.usefixtures("_cluster")
def test_a_worker_with_other_versions_is_refused_before_any_work(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
):
    slow = Slowly(studio, photos=1)
    monkeypatch.setattr(on_ray, "versions", lambda: {"torch": "1.0"})
    with pytest.raises(InputError, match="does not have the versions"):
        next(OnRay("ray", None, {}).outcomes(Work(slow.jobs), slow.task, lambda *_: None))
    assert not slow.steps
    assert not slow.painted.exists()


@pytest.mark.usefixtures("_cluster")
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_gpus": 1}, "no machine of the cluster has what a task asks for: CPU 1, GPU 1"),
        ({"number": 1}, "number"),
    ],
)
def test_what_no_task_can_have_is_refused(studio: Studio, settings: dict[str, int], words: str):
    slow = Slowly(studio, photos=1)
    with pytest.raises(InputError, match=words):
        next(OnRay("ray", None, settings).outcomes(Work(slow.jobs), slow.task, lambda *_: None))


def test_a_cluster_that_cannot_be_reached_is_an_error(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
):
    slow = Slowly(studio, photos=1)
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(InputError, match="cannot be reached"):
        next(OnRay(f"ray://{address}", 1, {}).outcomes(Work(slow.jobs), slow.task, print))
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError, match="cannot be reached") as caught:
        next(OnRay("ray", 1, {}).outcomes(Work(slow.jobs), slow.task, print))
    assert caught.value.where == address


@pytest.mark.parametrize("address", ["ray://", "ray:host", "ray://host", "ray:host:6379"])
def test_other_addresses_are_refused(address: str):
    with pytest.raises(InputError, match="no address"):
        OnRay(address, None, {})


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "instyle_batch.engines.on_ray")
    with pytest.raises(InstyleError, match="needs the package 'ray'") as caught:
        importlib.import_module("instyle_batch.engines.on_ray")
    assert caught.value.hint == "pip install 'instyle[ray]'"


@pytest.mark.parametrize(
    ("resources", "settings", "fit"),
    [
        ({"CPU": 8.0, "GPU": 2.0}, {"num_gpus": 1}, 2),
        ({"CPU": 8.0, "GPU": 2.0}, {"num_gpus": 0.5, "num_cpus": 3}, 2),
        ({"CPU": 8.0}, {}, 8),
        ({"CPU": 8.0}, {"num_gpus": 1}, 0),
        ({"CPU": 8.0, "memory": 10e9}, {"memory": 4e9}, 2),
        ({"CPU": 8.0, "scratch": 1.0}, {"resources": {"scratch": 1}}, 1),
    ],
)
def test_a_machine_has_room_for_so_many_tasks(
    resources: dict[str, float], settings: dict[str, float], fit: int
):
    needs = on_ray._needs(settings)
    assert on_ray._fitting({"Alive": True, "Resources": resources}, needs) == fit
    assert on_ray._fitting({"Alive": False, "Resources": resources}, needs) == 0


def test_what_is_lost_for_good_is_a_failure(monkeypatch: pytest.MonkeyPatch):
    from ray.exceptions import WorkerCrashedError

    def get(reference: object) -> Outcome:
        raise WorkerCrashedError

    monkeypatch.setattr(on_ray.ray, "get", get)
    outcome = on_ray._outcome(object(), Job("a.png", "a.png"))
    assert outcome.status == "failed"
    assert outcome.reason.startswith("its worker was lost")


def test_a_machine_without_the_shared_folder_is_refused(tmp_path: Path):
    from instyle_batch.job import Task

    with pytest.raises(InputError, match="is not there on this machine"):
        on_ray._check(Task(str(tmp_path / "spec.yaml"), "out"), ".", on_ray.versions())
