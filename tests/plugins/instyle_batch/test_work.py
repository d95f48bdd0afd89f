"""The queue gives each job once, and those again that others had."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instyle_batch import work as module
from instyle_batch.job import Job, Outcome
from instyle_batch.work import Work


def job(name: str) -> Job:
    return Job(name, f"/{name}")


@given(st.lists(st.integers(0, 3), max_size=8), st.integers(1, 3), st.randoms())
def test_each_job_is_done_once_however_often_it_was_busy(busy, slots, random) -> None:  # type: ignore[no-untyped-def]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RETRY_S", 0.0)
        left = {job(str(number)): times for number, times in enumerate(busy)}
        work, under_way, done = Work(left), [], []
        assert work.total == len(busy)
        while not work.is_over:
            while len(under_way) < slots and (next_one := work.next(0.0)):
                under_way.append(next_one)
            ended = under_way.pop(random.randrange(len(under_way)))
            if left[ended]:
                left[ended] -= 1
                work.ended(Outcome(ended, "busy"))
            else:
                done.append(ended)
                work.ended(Outcome(ended, "done"))
        assert sorted(done, key=lambda one: one.name) == sorted(left, key=lambda one: one.name)


def test_a_job_whose_worker_died_comes_back_first() -> None:
    work = Work([job("a"), job("b")])
    first = work.next(0)
    assert first == job("a")
    work.again(first)
    assert not work.is_over
    assert [work.next(0), work.next(0), work.next(0)] == [job("a"), job("b"), None]
    assert not work.is_over  # both are under way
    for name in "ab":
        work.ended(Outcome(job(name), "done"))
    assert work.is_over


def test_more_jobs_come_from_a_source() -> None:
    waits: list[float] = []

    class Source:
        def more(self, wait: float) -> list[Job]:
            waits.append(wait)
            return [job("new")] if len(waits) == 2 else []

    work = Work([], Source())
    assert work.next(0.5) is None
    assert work.next(0.25) == job("new")
    assert work.total == 1
    work.ended(Outcome(job("new"), "done"))
    assert not work.is_over
    assert waits == [0.5, 0.25]
