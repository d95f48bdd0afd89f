"""What commands print on a narrow terminal, and to a pipe."""

from __future__ import annotations

import pytest

from tests.core.helpers.commands import ESCAPE, MAIN
from tests.core.helpers.forks import fork
from tests.core.helpers.segments import STENCIL
from tests.core.helpers.studio import Studio
from tests.core.helpers.terminal import lines_of, terminal

LONG = "a-rather-long-name-of-a-picture-by-somebody.png"

COMMANDS = {
    "plugins": ["plugins", "list"],
    "show": ["plugins", "show", "grabcut"],
    "models": ["models", "list"],
    "config": ["config"],
    "segment": ["segment", LONG, "--use", STENCIL, "--instance", "0"],
    "rank": ["style", "rank", "mask.png", "styles", "--whole", "--use", "near"],
}


def printed(studio: Studio, command: str) -> str:
    """What a command prints to a pipe."""
    process = fork(*COMMANDS[command], folder=studio.folder)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    return out


def words_of(text: str) -> set[str]:
    """The words of a text; where a table has become paragraphs, headings have a colon."""
    return {word.removesuffix(":") for word in text.split()}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_narrow_terminal_loses_no_word(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    (studio.folder / "styles").mkdir()
    (studio.folder / "style.png").rename(studio.folder / "styles" / LONG)
    (studio.folder / "photo.png").rename(studio.folder / LONG)
    monkeypatch.chdir(studio.folder)
    wide = printed(studio, command)
    status, drawn = terminal(MAIN, 40, *COMMANDS[command], TERM="xterm")
    assert status == 0
    lines = lines_of(drawn)
    assert not words_of(wide) - words_of("\n".join(lines))
    for line in lines:
        # Only what is not to be broken is longer: a name, or a piece of code.
        assert len(line) <= 40 or len(line.split()) == 1 or "`" in line


@pytest.mark.parametrize("command", ["plugins", "models"])
def test_a_pipe_gets_a_line_for_each_row(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = printed(studio, command)
    assert ESCAPE not in out
    heading, *rows = out.split("\n\n")[0].splitlines()
    place = heading.index("license" if command == "models" else "from")
    assert len(rows) > 10
    assert max(map(len, rows)) > 80
    for row in rows:
        assert row[0] != " "
        assert row[place - 2 : place] == "  "
        assert row[place] != " "


def test_columns_can_be_told(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, printed(studio, "models").splitlines())) <= 80
