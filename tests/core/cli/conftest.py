"""What the tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.helpers.commands import ESCAPE, Command, Done
from tests.core.helpers.segments import SEVERAL, STENCIL, Segment, rectangles
from tests.core.helpers.studio import Studio, save


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A folder in which the toy plugin is at work: the working directory."""
    monkeypatch.chdir(tmp_path)
    return Studio.open(tmp_path, monkeypatch)


@pytest.fixture
def segment(instyle: Command, studio: Studio) -> Segment:
    """Run ``instyle segment``, by default on photo.png with mask.png for its segmenter."""

    def run(*options: str, image: str = "photo.png", use: str | None = STENCIL) -> Done:
        done = instyle("segment", image, *options, *(["--use", use] if use is not None else []))
        assert ESCAPE not in done.out + done.err
        assert "Traceback" not in done.err
        assert "should not happen" not in done.err
        return done

    return run


@pytest.fixture
def several(studio: Studio) -> None:
    """Three objects of one class in mask.png."""
    save(studio.folder / "mask.png", rectangles(SEVERAL))
