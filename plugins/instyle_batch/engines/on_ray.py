"""A Ray cluster: a task for each photo. Placement, resources and retries are Ray's."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from instyle_batch.engines.versions import check_versions, versions
from instyle_batch.job import Job, Outcome, Task, Tell
from instyle_batch.work import Work
from instyle_core import InputError, InstyleError, first_line, keep_networks

try:
    import ray
    from ray.exceptions import GetTimeoutError, RayError, RayTaskError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ModuleNotFoundError as missing:
    what, hint = "a Ray cluster needs the package 'ray'", "pip install 'instyle[ray]'"
    raise InstyleError(what, hint=hint) from missing

#: So often a job is tried again whose worker or machine was lost.
RETRIES = 3

#: Seconds until the cluster has to answer, and each of its machines.
CONNECT_S = 10.0
ANSWER_S = 300.0

#: Seconds for photos under way to be saved when the batch is interrupted.
SAVE_S = 30.0

#: Bytes for what a cluster of this machine alone exchanges.
STORE = 100 << 20

_POLL_S = 1.0


class OnRay:
    """A Ray cluster; see `Engine`.

    Args:
        address: ``ray://HOST:PORT`` of a cluster's Ray Client server; or ``ray`` for the cluster
            that ``RAY_ADDRESS`` names, else for one that is begun on this machine.
        workers: how many tasks there are at once at most; None for twice as many as fit.
        settings: of each task, as of `ray.remote`: ``num_cpus``, ``num_gpus``, ``memory``,
            ``resources``, ``max_retries``. One GPU if there are any and nothing is said of them.

    Raises:
        InputError: the address is none.
    """

    def __init__(self, address: str, workers: int | None, settings: Mapping[str, Any]) -> None:
        if address != "ray" and not (address.startswith("ray://") and _place(address)):
            hint = "ray://HOST:10001, or ray for this machine or what RAY_ADDRESS names"
            raise InputError("this is no address of a Ray cluster", where=address, hint=hint)
        self._address = address
        self._workers = workers
        self._settings = settings

    def outcomes(self, work: Work, task: Task, tell: Tell) -> Generator[Outcome]:
        _connect(self._address)
        try:
            yield from _Tasks(task, self._settings, self._workers).outcomes(work, tell)
        except ConnectionError as error:
            what = f"the connection to the cluster is lost: {first_line(error)}"
            hint = "what is done is kept: the same command goes on from there"
            raise InstyleError(what, where=self._address, hint=hint) from error
        finally:
            ray.shutdown()


class _Tasks:
    """The tasks of a batch on the cluster that this process is connected to."""

    def __init__(self, task: Task, settings: Mapping[str, Any], workers: int | None) -> None:
        settings = {"max_retries": RETRIES, **settings}
        if ray.cluster_resources().get("GPU"):
            settings.setdefault("num_gpus", 1)
        self._needs = _needs(settings)
        self._workers = workers
        self._common = (task, os.getcwd(), versions())
        try:
            # Ray would end a worker that has a GPU after each photo; so it keeps its networks.
            self._paint = ray.remote(**{"max_calls": 0, **settings})(_paint)
        except (TypeError, ValueError) as error:
            raise InputError(first_line(error), where="--cluster-set") from error
        self._begun: Any = ray.remote(num_cpus=0, max_restarts=-1)(_Begun).remote()
        self._check()

    def _check(self) -> None:
        """Let each machine compare versions before there is any work.

        Raises:
            InputError: they differ on one, or there is no machine for a task.
            InstyleError: one does not answer, or instyle cannot be imported there.
        """
        check = ray.remote(num_cpus=0)(_check)
        asked = [
            check.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(*self._common)
            for node in ray.nodes()
            if _fitting(node, self._needs)
        ]
        if not asked:
            needs = ", ".join(f"{name} {number}" for name, number in self._needs.items())
            what = f"no machine of the cluster has what a task asks for: {needs}"
            raise InputError(what, hint="ask for less with --cluster-set, such as num_gpus=0")
        try:
            ray.get(asked, timeout=ANSWER_S)
        except RayTaskError as error:
            raise _cause(error, "a machine of the cluster cannot be used") from error
        except GetTimeoutError as error:
            what = f"a machine of the cluster has not answered for {ANSWER_S:.0f} s"
            raise InstyleError(what, hint="see `ray status` there") from error
        except RayError as error:
            raise InstyleError(f"a machine of the cluster is lost: {first_line(error)}") from error

    def outcomes(self, work: Work, tell: Tell) -> Generator[Outcome]:
        under_way: dict[Any, Job] = {}
        waiting: set[Job] = set()

        def begins(jobs: Iterable[Job]) -> None:
            for job in jobs:
                if job in waiting:  # else it was lost and is tried again
                    waiting.remove(job)
                    tell(job, None)

        try:
            while not work.is_over:
                while len(under_way) < self._most():
                    job = work.next(wait=0.0 if under_way else _POLL_S)
                    if job is None:
                        break
                    waiting.add(job)
                    under_way[self._paint.remote(job, *self._common, self._begun)] = job
                ended, _ = ray.wait([*under_way], timeout=_POLL_S) if under_way else ([], [])
                with suppress(RayError):  # the machine that collects them was lost
                    begins(ray.get(self._begun.take.remote(), timeout=_POLL_S))
                for reference in ended:
                    job = under_way.pop(reference)
                    begins([job])
                    yield _outcome(reference, job)
        finally:
            _cancel([*under_way])

    def _most(self) -> int:
        """How many tasks there are at once, so that none has to wait for its photo.

        Machines come and go.
        """
        if self._workers:
            return self._workers
        room: int = sum(_fitting(node, self._needs) for node in ray.nodes())
        return max(1, 2 * room)


class _Begun:
    """Collects on the cluster which jobs were begun."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []

    def add(self, job: Job) -> None:
        self._jobs.append(job)

    def take(self) -> list[Job]:
        jobs, self._jobs = self._jobs, []
        return jobs


#: Networks, which a worker process keeps from one job to the next.
_made: dict[str, Any] = {}


def _paint(job: Job, task: Task, folder: str, expected: Mapping[str, str], begun: Any) -> Outcome:
    """Carry out a job, in a worker process."""
    from instyle_batch.photo import paint  # which takes long: machines answer before that

    _check(task, folder, expected)  # machines may join later
    begun.add.remote(job)
    with keep_networks(_made):
        return paint(job, task)


def _check(task: Task, folder: str, expected: Mapping[str, str]) -> None:
    """Find out whether this machine can carry out jobs of a batch.

    Raises:
        InputError: versions differ, or what is shared is not there.
    """
    where = platform.node()
    check_versions(expected, where)
    hint = "the spec, and the photos if they are files, have to be in a folder that all share"
    if not os.path.exists(task.spec):
        raise InputError(f"{task.spec} is not there on this machine", where=where, hint=hint)
    if task.assignments:  # paths in them start from the working directory
        try:
            os.chdir(folder)
        except OSError as error:
            what = f"{folder}, where the batch was begun, is not there on this machine"
            raise InputError(what, where=where, hint=hint) from error


def _connect(address: str) -> None:
    """Connect this process to a cluster.

    Raises:
        InputError: it cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Else it tells of lost workers on standard output, which is for `--json`; nothing else helps.
    ray._private.worker._worker_logs_enabled = False
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address == "ray":
        address = os.environ.get("RAY_ADDRESS") or "local"
    if address == "local":  # photos go by files, not by its store of objects
        quiet |= {"include_dashboard": False, "object_store_memory": STORE}
    try:
        if place := _place(address):  # Ray itself would try for some minutes
            socket.create_connection(place, timeout=CONNECT_S).close()
        ray.init(address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        what = f"the cluster cannot be reached: {first_line(error)}"
        hint = "is it running, with the same versions of Ray and Python, and the same token?"
        raise InputError(what, where=address, hint=hint) from error


def _place(address: str) -> tuple[str, int] | None:
    """The host and port of ``ray://HOST:PORT`` or ``HOST:PORT``; None if it is neither."""
    with suppress(ValueError):
        parts = urlsplit(address if "://" in address else f"ray://{address}")
        if parts.scheme == "ray" and parts.hostname and parts.port:
            return parts.hostname, parts.port
    return None


def _needs(settings: Mapping[str, Any]) -> dict[str, float]:
    """What a task asks for, by the names that machines have it under."""
    needs = {
        "CPU": settings.get("num_cpus", 1),  # Ray's own default
        "GPU": settings.get("num_gpus", 0),
        "memory": settings.get("memory", 0),
        **settings.get("resources", {}),
    }
    return {name: number for name, number in needs.items() if number}


def _fitting(node: Mapping[str, Any], needs: Mapping[str, float]) -> int:
    """How many tasks a machine has room for when it does nothing else."""
    if not node["Alive"]:
        return 0
    has = node["Resources"]
    return int(min((has.get(name, 0) // number for name, number in needs.items()), default=1))


def _outcome(reference: Any, job: Job) -> Outcome:
    """What came of a task.

    Raises:
        InstyleError: what keeps all jobs from being done.
    """
    try:
        return ray.get(reference)
    except RayTaskError as error:
        cause = _cause(error, "its worker failed")
        if isinstance(error.cause, InstyleError):
            raise cause from error
        return Outcome(job, "failed", reason=str(cause))
    except RayError as error:
        return Outcome(job, "failed", reason=f"its worker was lost: {first_line(error)}")


def _cause(error: RayTaskError, what: str) -> InstyleError:
    """What a worker raised, as an error for people."""
    if isinstance(error.cause, InstyleError):
        return error.cause
    cause = error.cause
    told = first_line(cause) if isinstance(cause, BaseException) else str(cause)
    return InstyleError(f"{what}: {told}")


def _cancel(references: list[Any]) -> None:
    """Cancel tasks: those under way save what they have, as at Ctrl-C."""
    with suppress(RayError, OSError):
        for reference in references:
            ray.cancel(reference)
        if references:
            ray.wait(references, num_returns=len(references), timeout=SAVE_S)
