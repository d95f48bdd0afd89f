"""A process for each device, or several on a processor."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

from instyle_batch.devices import cores
from instyle_batch.engines.here import Here
from instyle_batch.job import Job, Outcome, Task, Tell
from instyle_batch.work import Work

#: So often a job is tried whose process died, such as for want of memory.
TRIES = 3

#: Seconds for photos under way to be saved when the batch is interrupted.
SAVE_S = 30.0


class Processes:
    """Worker processes that each have one device; see `Engine`.

    Args:
        devices: of the workers, one each; None where the spec says.
    """

    def __init__(self, devices: Sequence[str | None]) -> None:
        self._devices = devices
        self._threads = max(1, cores() // len(devices))

    def outcomes(self, work: Work, task: Task, tell: Tell) -> Generator[Outcome]:
        deaths: Counter[Job] = Counter()
        if self._devices[0] in (None, "cpu"):
            # Here, with all cores: the first picture is there as soon as that of a single run. What
            # has been done is passed over before that.
            for outcome in Here(self._devices[0]).outcomes(work, task, tell):
                yield outcome
                if outcome.status == "interrupted":
                    return
                if outcome.status == "done":
                    break
        while not work.is_over:
            with self._pool() as pool:
                try:
                    yield from self._outcomes(pool, work, task, tell, deaths)
                except BrokenProcessPool:
                    _kill(pool)  # a new one takes over
                except BaseException:
                    _kill(pool)
                    raise

    def _pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        devices: Any = context.SimpleQueue()
        for device in self._devices:
            devices.put(device)
        number = len(self._devices)
        return ProcessPoolExecutor(number, context, _begin, (devices, self._threads))

    def _outcomes(
        self,
        pool: ProcessPoolExecutor,
        work: Work,
        task: Task,
        tell: Tell,
        deaths: Counter[Job],
    ) -> Generator[Outcome]:
        under_way: dict[Future[Outcome], Job] = {}
        try:
            while not work.is_over:
                while len(under_way) < len(self._devices):
                    job = work.next(wait=0.0 if under_way else 1.0)
                    if job is None:
                        break
                    tell(job, None)
                    under_way[pool.submit(_paint, job, task)] = job
                ended, _ = wait(under_way, timeout=1.0, return_when=FIRST_COMPLETED)
                if any(isinstance(future.exception(), BrokenProcessPool) for future in ended):
                    yield from _after_a_death(under_way, work, deaths)
                    raise BrokenProcessPool
                for future in ended:
                    del under_way[future]
                    yield future.result()
        except KeyboardInterrupt:
            yield from _saved(pool, under_way)
            raise
        except GeneratorExit:
            _saved(pool, under_way)
            raise


def _after_a_death(
    under_way: Mapping[Future[Outcome], Job], work: Work, deaths: Counter[Job]
) -> Iterator[Outcome]:
    """What there is of jobs after a worker died; which of them it had is not told."""
    for future, job in under_way.items():
        if future.done() and future.exception() is None:
            yield future.result()
            continue
        deaths[job] += 1
        if deaths[job] < TRIES:
            work.again(job)
        else:
            reason = f"its process died {TRIES} times, perhaps for want of memory"
            yield Outcome(job, "failed", reason=reason)


def _saved(pool: ProcessPoolExecutor, under_way: Collection[Future[Outcome]]) -> list[Outcome]:
    """Ask the workers to save what they have, as Ctrl-C does; gives what came of their jobs."""
    for process in (pool._processes or {}).values():
        process.terminate()
    ended, _ = wait(under_way, timeout=SAVE_S)
    return [future.result() for future in ended if future.exception() is None]


def _kill(pool: ProcessPoolExecutor) -> None:
    """End the workers at once: those that were told to stop would wait for a next job forever."""
    for process in (pool._processes or {}).values():
        process.kill()


_device: str | None = None


def _begin(devices: Any, threads: int) -> None:
    """Begin a worker: it takes a device, and leaves Ctrl-C to the process that began it."""
    global _device
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _device = devices.get()
    import torch

    torch.set_num_threads(threads)


def _die_with_parent() -> None:
    """A worker whose parent was killed would wait for its next job forever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


_made: dict[str, Any] = {}


def _paint(job: Job, task: Task) -> Outcome:
    from instyle_batch.photo import paint
    from instyle_core import keep_networks

    with keep_networks(_made):
        return paint(job, replace(task, device=_device))
