"""The progress bar: on standard error alone, and only where that is a terminal."""

from __future__ import annotations

import pytest

from instyle_training.progress import counted


def shown(capsys: pytest.CaptureFixture[str], done: int) -> str:
    """What is on standard error when so many of four are done."""
    with counted("reading photos", 4) as on_photo:
        for _ in range(done):
            on_photo()
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("done", "share"), [(0, " 0%"), (1, " 25%"), (4, "100%")])
def test_each_call_counts_one(capsys: pytest.CaptureFixture[str], done: int, share: str) -> None:
    printed = shown(capsys, done)
    assert "reading photos" in printed
    assert share in printed


def test_without_a_terminal_nothing_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    assert shown(capsys, done=4) == ""
