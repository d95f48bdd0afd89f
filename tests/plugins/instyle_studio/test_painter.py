"""The worker that paints: its events, the picture as it grows, and being stopped."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from instyle_core.events import Download, Finished, Note, StageFinished, StageStarted, Step
from instyle_studio import painter
from instyle_studio.painter import Painter, Watch
from tests.core.helpers.studio import Studio, save

GRAY, RED = (128, 128, 128), (255, 0, 0)


def step(box: tuple[int, int, int, int], number: int = 1, steps: int = 9) -> Step:
    picture = torch.tensor([1.0, 0.0, 0.0])[:, None, None].expand(3, 8, 8)
    return Step(0, number, steps, (8, 8), box, {"a": 1.0, "b": 0.5}, 1.5, None, lambda: picture)


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture(autouse=True)
def _always_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painter, "_LIVE_S", 0.0)


def watch(studio: Studio, told: list[dict[str, Any]], width: int, **changes: Any) -> Watch:
    save(studio.folder / "photo.png", np.full((width // 2, width, 3), GRAY, np.uint8))
    return Watch(studio.plan(**changes), studio.folder, told.append)


def test_events_are_plain_data(studio: Studio, told: list[dict[str, Any]]) -> None:
    observer = watch(studio, told, 60)
    for event in (
        StageStarted("stylize", 0, 2),
        StageFinished("stylize", 0, 1.5),
        Download("vgg", 5, None),
        Note("hello"),
        Finished("finished", Path("x"), Path("y"), 1.0),
    ):
        observer(event)
    assert told == [
        {"type": "stage", "stage": "stylize", "item": 0, "items": 2},
        {"type": "stage-done", "stage": "stylize", "item": 0, "seconds": 1.5},
        {"type": "download", "name": "vgg", "done": 5, "total": None},
        {"type": "note", "message": "hello"},
    ]


@pytest.mark.parametrize(
    ("width", "shrink", "shown"), [(600, None, 600), (2048, None, 1024), (2048, 400, 400)]
)
def test_the_picture_that_grows_is_the_photo_with_the_crop_in_its_place(
    studio: Studio, told: list[dict[str, Any]], width: int, shrink: int | None, shown: int
) -> None:
    observer = watch(studio, told, width, shrink=shrink)
    read = min(width, shrink or width)  # boxes count pixels of the photo as it is read
    box = tuple(round(side * read / 60) for side in (15, 6, 33, 24))
    observer(step(box))  # type: ignore[arg-type]
    assert [event["type"] for event in told] == ["step", "live"]
    assert told[0]["losses"] == {"a": 1.0, "b": 0.5}
    assert told[0]["box"] == box
    live = np.asarray(Image.open(studio.folder / "live.jpg")).astype(int)
    assert live.shape == (shown // 2, shown, 3)
    inside = np.zeros(live.shape[:2], bool)
    x0, y0, x1, y1 = (round(side * shown / 60) for side in (15, 6, 33, 24))
    inside[y0 + 12 : y1 - 12, x0 + 12 : x1 - 12] = True
    assert np.abs(live[inside] - RED).max() < 12
    outside = np.ones(live.shape[:2], bool)
    outside[y0 - 12 : y1 + 12, x0 - 12 : x1 + 12] = False
    assert np.abs(live[outside] - GRAY).max() < 12


def test_it_is_not_written_more_often_than_needed(
    studio: Studio, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painter, "_LIVE_S", 1000.0)
    observer = watch(studio, told, 60)
    observer._last = painter.time.monotonic()
    for number in range(1, 10):
        observer(step((0, 0, 20, 20), number))
    assert [e["step"] for e in told if e["type"] == "live"] == [9]  # the last one


def test_a_run(studio: Studio, told: list[dict[str, Any]]) -> None:
    studio.spec()
    answer = Painter()({"run": str(studio.folder), "resume": False}, told.append)
    assert (answer["status"], answer["saved"], answer["resumable"]) == ("finished", True, False)
    assert [e["step"] for e in told if e["type"] == "step"] == [1, 2, 3, 4]
    assert (studio.folder / "out.png").is_file()


def test_a_run_that_was_stopped_before_it_began(studio: Studio, told: list[dict[str, Any]]) -> None:
    studio.spec()
    worker = Painter()
    request = {"run": str(studio.folder), "resume": False}
    worker.interrupt("another run")
    worker.interrupt(str(studio.folder))
    answer = worker(request, told.append)
    assert (answer["status"], answer["saved"]) == ("interrupted", False)
    assert told == []
    assert worker(request, told.append)["status"] == "finished"  # when it is asked for again


def test_a_run_that_is_stopped_saves_what_it_has(
    studio: Studio, told: list[dict[str, Any]]
) -> None:
    studio.spec(optimizer={"use": "adam", "steps": 20000, "scales": 1})
    worker = Painter()

    def tell(event: dict[str, Any]) -> None:
        told.append(event)
        if event.get("step", 0) >= 5:  # the first time counts alone
            worker.interrupt(str(studio.folder))

    answer = worker({"run": str(studio.folder), "resume": False}, tell)
    assert (answer["status"], answer["saved"], answer["resumable"]) == ("interrupted", True, True)
    assert max(e["step"] for e in told if e["type"] == "step") < 100


def test_it_makes_room_for_clicks(monkeypatch: pytest.MonkeyPatch) -> None:
    nicer: list[int] = []
    monkeypatch.setattr(os, "nice", nicer.append)
    Painter().prepare()
    assert nicer
    assert nicer[0] > 0
