"""A studio in which broken plugins are installed, too."""

from __future__ import annotations

import pytest

from tests.core.helpers.studio import TOY, Studio, noise, save


@pytest.fixture
def broken(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """Has plugins that are told by their parameters how to be broken, and a folder of styles."""
    monkeypatch.syspath_prepend(TOY.with_name("broken"))
    styles = studio.folder / "styles"
    styles.mkdir()
    save(styles / "a.png", noise(24, 32, seed=1))
    return studio
