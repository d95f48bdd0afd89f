"""What is drawn on the terminal: errors, rankings, and a run as it goes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from instyle_core.cli.render import RunDisplay, ranking_table, show_error
from instyle_core.errors import InputError, SpecError
from instyle_core.events import (
    Download,
    Event,
    Finished,
    Note,
    Ranked,
    StageFinished,
    StageStarted,
    Step,
)
from instyle_core.interfaces.ranker import Rating
from tests.core.helpers.commands import ESCAPE
from tests.core.helpers.terminal import lines_of, terminal

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "60")


# --- errors ---------------------------------------------------------------------------------------


def test_an_error_says_what_where_and_what_to_do(capsys: Captured) -> None:
    show_error(InputError("it is empty", where="a [red]b.png", hint="choose another [x]"))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "error: a [red]b.png: it is empty\n  choose another [x]\n"


def test_every_problem_of_a_spec_is_told_on_a_line_of_its_own(capsys: Captured) -> None:
    problems = [InputError("one", where="s.yaml:3"), InputError("long " * 50 + "one", hint="h")]
    show_error(SpecError(problems))
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["error: s.yaml:3: one", f"error: {'long ' * 50}one", "  h"]


# --- rankings -------------------------------------------------------------------------------------


def text_of(table: str) -> list[list[str]]:
    """The cells of each row, heading first."""
    return [line.split() for line in table.splitlines()]


RANKING = {
    Path("a/[b]x.png"): Rating(0.123456, {"color": 2.0, "[i]": 0.5}),
    Path("a/y.png"): Rating(1.0, {"size": 3.0}),
    Path("a/z.png"): Rating(12345.678),
}


def test_a_ranking_has_a_column_for_each_figure_and_no_markup() -> None:
    assert text_of(ranking_table(RANKING, 100)) == [
        ["rank", "picture", "score", "color", "[i]", "size"],
        ["1", "[b]x.png", "0.1235", "2", "0.5"],
        ["2", "y.png", "1", "3"],
        ["3", "z.png", "1.235e+04"],
    ]


def test_a_long_ranking_ends_with_how_many_more_there_are() -> None:
    rows = text_of(ranking_table(RANKING, 100, most=1))
    assert rows[1][1] == "[b]x.png"
    assert rows[2:] == [["and", "2", "more"]]
    assert text_of(ranking_table(RANKING, 100, most=3)) == text_of(ranking_table(RANKING, 100))


# --- a run ----------------------------------------------------------------------------------------


def step(number: int, seconds_left: float | None = 65.4, steps: int = 90) -> Step:
    losses = {"style": 0.123456, "[b]": 2.0}
    picture = torch.zeros(3, 4, 4)
    return Step(0, number, steps, (4, 4), (0, 0, 4, 4), losses, 2.0, seconds_left, lambda: picture)


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("instyle_core.cli.render.time", clock)
    return clock


def shown(capsys: Captured, *events: Event) -> list[str]:
    with RunDisplay() as display:
        for event in events:
            display(event)
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()


def test_stages_are_told_when_they_are_done_unless_they_took_no_time(capsys: Captured) -> None:
    assert shown(
        capsys,
        StageStarted("read"),
        StageFinished("read", None, 0.04),
        StageStarted("segment", 1, 3),
        StageFinished("segment", 1, 1.26),
        StageStarted("merge", 0, 1),
        StageFinished("merge", 0, 0.1),
    ) == ["finding the object 2 of 3: 1.3 s", "merging: 0.1 s"]


def test_a_step_tells_the_time_that_is_left_and_its_losses(capsys: Captured, clock: Clock) -> None:
    with RunDisplay() as display:
        display(StageStarted("stylize"))
        clock.now += 30
        display(step(7))
    (line,) = capsys.readouterr().err.splitlines()
    # 30 seconds have gone by, and 65.4 are left.
    assert line == "painting: 7/90  1:05 of 1:35 left  style 0.123  [b] 2"


def test_a_step_that_cannot_tell_the_time_is_left_to_the_next(capsys: Captured) -> None:
    assert shown(capsys, StageStarted("stylize"), step(1, None)) == []


def test_steps_are_told_every_five_seconds_and_at_the_end(capsys: Captured, clock: Clock) -> None:
    with RunDisplay() as display:
        display(StageStarted("stylize"))
        for number in range(1, 41):
            clock.now += 1
            display(step(number, 0.0, steps=40))
    numbers = [line.split()[1] for line in capsys.readouterr().err.splitlines()]
    assert numbers == [f"{n}/40" for n in (1, 6, 11, 16, 21, 26, 31, 36, 40)]


def test_a_download_tells_its_size_if_it_is_known(capsys: Captured, clock: Clock) -> None:
    with RunDisplay() as display:
        for event in (Download("net", 12_300_000, 548_100_000), Download("net", 9_000_000, None)):
            display(event)
            clock.now += 9
    assert capsys.readouterr().err.splitlines() == [
        "downloading net: 12 of 548 MB",
        "downloading net: 9 MB",
    ]


def test_notes_and_the_end_are_always_told(capsys: Captured) -> None:
    lines = shown(capsys, Note("[b] is there"), Finished("diverged", Path("o"), Path("f"), 2.34))
    assert lines == ["note: [b] is there", "diverged after 2.3 s"]


@pytest.mark.parametrize(
    ("item", "what"), [(None, "style of the picture"), (2, "style of object 2")]
)
def test_a_ranking_of_a_run_shows_the_best_ten(
    capsys: Captured, item: int | None, what: str
) -> None:
    ranking = {Path(f"p/{number}.png"): Rating(float(number)) for number in range(15)}
    lines = shown(capsys, Ranked(item, ranking))
    assert lines[0] == f"{what}: 0.png"
    assert [line.split()[1] for line in lines[2:12]] == [f"{number}.png" for number in range(10)]
    assert lines[12].split() == ["and", "5", "more"]
    assert len(lines) == 13


def test_hours_are_told_as_hours(capsys: Captured, clock: Clock) -> None:
    with RunDisplay() as display:
        display(StageStarted("stylize"))
        clock.now += 60
        display(step(7, 2 * 3600 + 5 * 60 + 9.9))
        display(Finished("finished", Path("o"), Path("f"), 3599.6))
        display(Finished("finished", Path("o"), Path("f"), 3600.0))
    line, *ends = capsys.readouterr().err.splitlines()
    assert line.startswith("painting: 7/90  2:05:09 of 2:06:09 left")
    assert ends == ["finished after 59:59", "finished after 1:00:00"]


def test_a_long_note_is_one_line_of_a_log(capsys: Captured) -> None:
    message = f"{'word ' * 60}/a/path/{'x' * 200}.png"
    assert shown(capsys, Note(message)) == [f"note: {message}"]


# --- on a terminal --------------------------------------------------------------------------------

SHOW = """
import time
from pathlib import Path
from instyle_core.cli.render import RunDisplay, show_error
from instyle_core.errors import InputError
from instyle_core.events import *
losses = {"self-similarity": 0.123456, "[b]": 2.0}
with RunDisplay() as display:
    display(StageStarted("stylize", 0, 2))
    display(Step(0, 45, 90, (4, 4), (0, 0, 4, 4), losses, 2.0, 3 * 3600 + 65, None))
    display(Note("the cat is seen in " + "many words, " * 9 + "/a/path/" + "x" * 50 + ".png"))
    time.sleep(0.3)
    display(StageFinished("stylize", 0, 3.0))
    display(Finished("finished", Path("o"), Path("f"), 2.34))
show_error(InputError("it is " + "quite " * 9 + "empty", where="a.png", hint="run `instyle a b c`"))
"""


def on_terminal(columns: int, **variables: str) -> str:
    status, printed = terminal(SHOW, columns, TERM=variables.pop("TERM", "xterm"), **variables)
    assert status == 0
    return printed


def test_on_a_terminal_there_is_a_bar_and_no_line_for_a_stage() -> None:
    printed = on_terminal(120)
    assert "painting 1 of 2" in printed
    assert "45/90" in printed
    assert "━" in printed
    assert "3.0 s" not in printed
    assert f"{ESCAPE}[33mnote:" in printed


def test_a_narrow_terminal_shows_the_time_and_breaks_lines_between_words() -> None:
    lines = lines_of(on_terminal(40))
    assert not any("━" in line for line in lines)
    joined = " ".join(" ".join(lines).split())
    assert "painting 1 of 2 45/90 3:01:05 of 3:01:05 left" in joined
    assert "error: a.png: it is quite" in joined
    whole = [line for line in lines if "xxx" not in line]
    assert max(map(len, whole)) <= 40
    words = [word for line in lines for word in line.split()]
    assert f"/a/path/{'x' * 50}.png" in words
    assert "  run `instyle a b c`" in lines


@pytest.mark.parametrize("name", ["TERM=dumb", "TTY_INTERACTIVE=0"])
def test_plain_lines_on_a_terminal(name: str) -> None:
    variable, value = name.split("=")
    printed = on_terminal(40, **{variable: value, "NO_COLOR": "1"})
    assert ESCAPE not in printed
    assert "━" not in printed
    lines = printed.replace("\r\n", "\n").splitlines()
    assert "\r" not in printed.replace("\r\n", "")
    assert "painting 1 of 2: 45/90  3:01:05 of" in lines
    assert "painting 1 of 2: 3.0 s" in lines


def test_without_colors_on_request() -> None:
    printed = on_terminal(80, NO_COLOR="1")
    assert not re.search(rf"{ESCAPE}\[[0-9;]*[34][0-9]", printed)
    assert "note:" in printed
