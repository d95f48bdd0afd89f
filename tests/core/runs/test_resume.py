"""A run that is interrupted and resumed ends with the bytes of one that was never interrupted."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instyle_core import pipeline
from instyle_core.events import Event, StageStarted, Step
from instyle_core.optimization.schedule import scale_steps
from tests.core.helpers.interrupted import (
    ADAM,
    L_BFGS,
    changes,
    finish,
    interrupt,
    record,
    results,
    unbroken,
)
from tests.core.helpers.studio import BOX, Studio, noise, rectangle, save


@pytest.mark.parametrize("optimizer", [ADAM, L_BFGS], ids=["adam", "lbfgs"])
@pytest.mark.parametrize(
    ("scales", "item", "step"),
    [
        (1, 0, 1),  # the first step of all
        (1, 0, 5),
        (1, 0, 10),  # the last step of the first object
        (1, 1, 1),  # the first step of the second object
        (1, 1, 7),
        (1, 1, 10),  # the last step of all
        (3, 0, 2),
        (3, 0, 4),  # the last step of the first scale
        (3, 0, 5),  # the only step of the second scale
        (3, 0, 6),  # the first step of the last scale
        (3, 1, 5),
        (3, 1, 6),
    ],
)
def test_resumed_at_any_place(
    studio: Studio,
    references: dict[Any, dict[str, bytes]],
    optimizer: dict[str, Any],
    scales: int,
    item: int,
    step: int,
) -> None:
    assert scale_steps(10, 3) == [4, 1, 5]
    plan = studio.plan(**changes(studio, {**optimizer, "scales": scales}))
    case = (optimizer["use"], scales)
    expected = references[case] = references.get(case) or unbroken(studio, plan)
    interrupt(plan, item, step)
    assert results(studio) != expected or step == 10
    finish(plan)
    assert results(studio) == expected


@pytest.mark.parametrize(("item", "step"), [(0, 9), (0, 21), (0, 31), (0, 51), (1, 21), (1, 37)])
def test_resumed_where_flat_objectives_save_steps(studio: Studio, item: int, step: int) -> None:
    """At a tolerance of 0.9 each size is left after 21 steps: of 30."""
    assert scale_steps(60, 2) == [30, 30]
    lazy = {"use": "adam", "steps": 60, "scales": 2, "learning_rate": 1e-4, "tolerance": 0.9}
    plan = studio.plan(**changes(studio, lazy, snapshots=7))
    pipeline.run(plan)
    notes = record(studio)["notes"]
    expected = unbroken(studio, plan)
    rows = [row.split(",")[:2] for row in expected["losses.csv"].decode().splitlines()[1:]]
    steps = [str(number) for number in [*range(1, 22), *range(31, 52)]]
    assert rows == [[part, number] for part in ("object-0", "object-1") for number in steps]
    skipped = "the remaining steps at this size are skipped"
    assert [note for note in notes if "flat" in note] == [
        f"{part}: the objective is flat at step {at} of 60; {skipped}"
        for part in ("object-0", "object-1")
        for at in (21, 51)
    ]
    interrupt(plan, item, step)
    finish(plan)
    assert results(studio) == expected
    assert sorted(record(studio)["notes"]) == sorted(notes)


@pytest.mark.parametrize("start", ["noise", "other.png"])
@pytest.mark.parametrize("scales", [1, 2])
def test_resumed_from_any_start_with_snapshots(studio: Studio, start: str, scales: int) -> None:
    save(studio.folder / "other.png", noise(50, 50, seed=11))
    more = {"start": start, "seed": 8, "snapshots": 2}
    plan = studio.plan(**changes(studio, {**ADAM, "scales": scales}, **more))
    expected = unbroken(studio, plan)
    names = {
        f"object-{item}/snapshots/{step:06}.png" for item in (0, 1) for step in range(2, 11, 2)
    }
    assert {name for name in expected if "snapshots" in name} == names
    interrupt(plan, 1, 5)
    finish(plan)
    assert results(studio) == expected


@pytest.mark.parametrize("optimizer", [ADAM, L_BFGS], ids=["adam", "lbfgs"])
def test_a_whole_picture(studio: Studio, optimizer: dict[str, Any]) -> None:
    more: dict[str, Any] = {"objects": None, "snapshots": 3}
    plan = studio.plan(**changes(studio, {**optimizer, "scales": 2}, **more))
    expected = unbroken(studio, plan)
    interrupt(plan, None, 7)
    finish(plan)
    assert results(studio) == expected
    assert record(studio)["resumed"] == [{"object": "picture", "step": 7}]


places = st.tuples(st.integers(0, 1), st.integers(1, 6))


@given(
    stops=st.lists(places, min_size=1, max_size=4, unique=True).map(sorted),
    optimizer=st.sampled_from([ADAM, L_BFGS]),
    scales=st.integers(1, 2),
    snapshots=st.integers(0, 4),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12, deadline=None
)
def test_interrupted_again_and_again(
    studio: Studio,
    stops: list[tuple[int, int]],
    optimizer: dict[str, Any],
    scales: int,
    snapshots: int,
) -> None:
    shutil.rmtree(studio.folder / "out.png.run", ignore_errors=True)
    solver = {**optimizer, "steps": 6, "scales": scales}
    plan = studio.plan(**changes(studio, solver, snapshots=snapshots, size=64))
    expected = unbroken(studio, plan)
    for number, (item, step) in enumerate(stops):
        interrupt(plan, item, step, resume=number > 0)
    finish(plan)
    assert results(studio) == expected
    resumed = [(row["object"], row["step"]) for row in record(studio)["resumed"]]
    assert resumed == [(f"object-{item}", step) for item, step in stops]


def test_the_real_network(studio: Studio) -> None:
    losses = [
        {"use": "content", "layers": ["relu2_1"]},
        {"use": "style", "layers": ["relu1_1", "relu2_1"], "weight": 10},
        {"use": "laplacian"},
        {"use": "tv", "weight": 0.02},
    ]
    plan = studio.plan(losses=losses, optimizer={"use": "adam", "steps": 6, "scales": 2}, size=64)
    expected = unbroken(studio, plan)
    interrupt(plan, 0, 4)
    finish(plan)
    assert results(studio) == expected


# --- what is done again, and what is not ----------------------------------------------------------


def test_steps_go_on_where_they_stopped(studio: Studio) -> None:
    plan = studio.plan(**changes(studio, {**ADAM, "scales": 3}))
    interrupt(plan, 1, 4)
    events: list[Event] = []
    finish(plan, events.append)
    steps = [event for event in events if isinstance(event, Step)]
    assert [(event.item, event.step, event.steps) for event in steps] == [
        (1, step, 10) for step in range(5, 11)
    ]
    # Step 5 is the only one of its size, and step 6 the first of the next.
    assert all(event.seconds_left and event.seconds_left > 0 for event in steps[2:-1])
    assert steps[-1].seconds_left == 0
    stages = [(event.stage, event.item) for event in events if isinstance(event, StageStarted)]
    assert stages == [
        *[("read", None), ("load", None), ("segment", 0), ("segment", 1)],
        *[("stylize", 1), ("merge", 1), ("write", None)],
    ]


def test_the_record_of_a_resumed_run(studio: Studio) -> None:
    parts = np.maximum(rectangle((2, 30, 9, 40)), rectangle(BOX))
    save(studio.folder / "mask.png", parts)  # which makes a note
    plan = studio.plan(**changes(studio))
    pipeline.run(plan)
    expected = record(studio)
    assert expected["resumed"] == []
    assert expected["state"] is None
    assert len(expected["notes"]) == len(set(expected["notes"])) == 2
    interrupt(plan, 0, 3)
    first = record(studio)
    interrupt(plan, 1, 2, resume=True)
    second = record(studio)
    finish(plan)
    last = record(studio)
    for key in set(expected) - {"started", "seconds", "resumed"}:
        assert last[key] == expected[key], key
    assert [len(run["state"]) for run in (first, second)] == [64, 64]
    assert [run["resumed"] for run in (first, second)] == [[], [{"object": "object-0", "step": 3}]]
    assert last["resumed"] == [*second["resumed"], {"object": "object-1", "step": 2}]
    for stage in ("total", "read", "stylize", "merge"):
        times = [run["seconds"][stage] for run in (first, second, last)]
        assert times == sorted(times)
    stages = sum(value for stage, value in last["seconds"].items() if stage != "total")
    assert stages <= last["seconds"]["total"] + 0.02  # each is rounded, three times


def test_a_record_keeps_when_it_was_started_and_what_was_told_then(studio: Studio) -> None:
    plan = studio.plan()
    interrupt(plan, 0, 1)
    path = studio.folder / "out.png.run" / "run.json"
    earlier = record(studio)
    earlier |= {"started": "2001-02-03T04:05:06+0000", "notes": ["it rained"]}
    earlier["seconds"]["read"] = earlier["seconds"]["total"] = 1000
    path.write_text(json.dumps(earlier), "utf-8")
    interrupt(plan, 0, 2, resume=True)
    finish(plan)
    last = record(studio)
    assert last["started"] == "2001-02-03T04:05:06+0000"
    assert last["notes"] == ["it rained"]
    assert 1000 <= last["seconds"]["read"] < 2000  # that of a tiny picture is rounded to nothing
    assert 1000 < last["seconds"]["total"] < 2000


def test_the_report_of_a_resumed_run_shows_every_step(studio: Studio) -> None:
    def lines() -> list[str]:
        report = (studio.folder / "out.png.run" / "report.html").read_text("utf-8")
        return sorted(re.findall('points="(.*?)"', report))

    plan = studio.plan(**changes(studio))
    pipeline.run(plan)
    expected = lines()
    assert len(expected) == (1 + 3) + (1 + 2)
    interrupt(plan, 1, 4)
    assert lines() != expected
    finish(plan)
    assert lines() == expected


def test_the_best_so_far_of_an_interrupted_run_is_merged(studio: Studio) -> None:
    plan = studio.plan()
    before = studio.photo
    interrupt(plan, 0, 3)
    inside = rectangle(BOX) > 0
    assert (studio.output != before)[inside].any()
    np.testing.assert_array_equal(studio.output[~inside], before[~inside])
