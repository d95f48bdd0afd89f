"""What a run tells while it goes on, and what is left of one that ends early."""

from __future__ import annotations

import numpy as np
import pytest

from instyle_core.errors import InstyleError, InterruptedRun
from instyle_core.events import Event, Finished, StageFinished, StageStarted, Step
from tests.core.helpers.repainted import BLUE, RED, WELL, assert_repainted, inside, tint
from tests.core.helpers.studio import (
    BOX,
    HEIGHT,
    WIDTH,
    Studio,
    rectangle,
    save,
)

# --- events ---------------------------------------------------------------------------------------


def test_events_tell_the_whole_story(studio: Studio) -> None:
    save(studio.folder / "second.png", rectangle((45, 5, 55, 15)))
    objects = [{}, {"segmenter": {"use": "stencil", "path": "second.png"}}]
    events = studio.events(objects=objects)
    stages = [("read", None), ("load", None), ("segment", 0), ("segment", 1)]
    stages += [("stylize", 0), ("merge", 0), ("stylize", 1), ("merge", 1), ("write", None)]
    starts = [event for event in events if isinstance(event, StageStarted)]
    ends = [event for event in events if isinstance(event, StageFinished)]
    assert [(event.stage, event.item) for event in starts] == stages
    assert [(event.stage, event.item) for event in ends] == stages
    assert {event.items for event in starts} == {2}
    assert all(event.seconds >= 0 for event in ends)
    for item in (0, 1):
        steps = [event for event in events if isinstance(event, Step) and event.item == item]
        assert [event.step for event in steps] == [1, 2, 3, 4]
        assert {event.steps for event in steps} == {4}
        assert {event.size for event in steps} == {tuple(steps[0].picture().shape[1:])}
        for event in steps:
            assert event.total == pytest.approx(sum(event.losses.values()))
            assert set(event.losses) == {"tint"}
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.status, last.output) == ("finished", studio.folder / "out.png")
    assert [event for event in events if isinstance(event, Finished)] == [last]


def test_nothing_below_the_command_line_prints(
    studio: Studio, capfd: pytest.CaptureFixture[str]
) -> None:
    studio.run()
    assert capfd.readouterr() == ("", "")


# --- stopping early -------------------------------------------------------------------------------


def test_an_interrupted_run_is_merged_and_written(studio: Studio) -> None:
    def on_event(event: Event) -> None:
        if isinstance(event, Step) and event.step == 3:
            raise KeyboardInterrupt

    save(studio.folder / "photo.png", np.full((HEIGHT, WIDTH, 3), (50, 128, 255), np.uint8))
    result = studio.run(on_event, optimizer={**WELL, "steps": 1000, "learning_rate": 0.1})
    assert result.status == "interrupted"
    # Adam's first two steps are each about as long as the learning rate, toward red.
    expected = (50 + 51, 128 - 51, 255 - 51)
    assert_repainted(studio.output, studio.photo, inside(rectangle(BOX)), expected)


@pytest.mark.parametrize("kind", ["nan", "nan gradient", "explode"])
def test_a_diverged_run_is_merged_and_written(studio: Studio, kind: str) -> None:
    losses = [tint(BLUE), {"use": "fault", "kind": kind, "at": 15}]
    result = studio.run(losses=losses, optimizer=WELL)
    assert result.status == "diverged"
    assert "'fault'" in result.reason
    assert "tint" not in result.reason
    where = inside(rectangle(BOX))
    np.testing.assert_array_equal(studio.output[~where], studio.photo[~where])
    before = np.abs(studio.photo[where].astype(float) - BLUE).mean()
    assert np.abs(studio.output[where].astype(float) - BLUE).mean() < before / 2


def test_diverging_at_the_first_step_names_the_loss_and_the_object(studio: Studio) -> None:
    with pytest.raises(InstyleError, match="'fault'") as caught:
        studio.run(losses=[tint(BLUE), {"use": "fault"}])
    assert caught.value.exit_status == 1
    assert caught.value.where == "objects.0"
    assert not (studio.folder / "out.png").exists()


@pytest.mark.parametrize(
    ("kind", "status"), [("interrupt", "interrupted"), ("nan gradient", "diverged")]
)
def test_objects_that_are_done_are_kept_when_a_later_one_comes_to_nothing(
    studio: Studio, kind: str, status: str
) -> None:
    save(studio.folder / "second.png", rectangle((45, 5, 55, 15)))
    segmenter = {"use": "stencil", "path": "second.png"}
    objects = [{}, {"segmenter": segmenter, "losses": [{"use": "fault", "kind": kind}]}]
    result = studio.run(objects=objects, optimizer=WELL)
    assert result.status == status
    assert_repainted(studio.output, studio.photo, inside(rectangle(BOX)), RED)


def test_interrupted_before_anything_is_there(studio: Studio) -> None:
    with pytest.raises(InterruptedRun) as caught:
        studio.run(losses=[{"use": "fault", "kind": "interrupt"}])
    assert caught.value.exit_status == 130
    assert not (studio.folder / "out.png").exists()
