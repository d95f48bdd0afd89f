"""What the tests of the studio share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import pytest

from tests.core.helpers.studio import TOY, noise, read, save
from tests.plugins.instyle_studio.serving import Server, png, spec_of, style_folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests that leave it as it is, but for more uploads and other runs."""
    folder = tmp_path_factory.mktemp("studio")
    options = ["--styles", style_folder(folder / "styles")]
    with Server.start(folder / "session", *options, loads=True) as started:
        yield started


@pytest.fixture
def emptied(server: Server) -> Iterator[None]:
    """The server has nothing but its folder of styles."""
    with server.emptied():
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from tests.core.helpers.browser import open_browser

    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cat that ships with instyle, small."""
    from tests.plugins.instyle_studio.paging import HEIGHT, WIDTH

    with as_file(files("instyle_core") / "demo" / "cat.png") as path:
        samples = cv2.resize(read(path), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return save(tmp_path_factory.mktemp("photo") / "cat.png", samples)


@pytest.fixture(autouse=True)
def _toy_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process have it as well."""
    monkeypatch.syspath_prepend(TOY)


@dataclass
class Things:
    """A photo, a style and a mask on a server, by their IDs."""

    photo: str
    style: str
    mask: str

    def spec(self, **changes: Any) -> dict[str, Any]:
        """A spec of these."""
        return spec_of(self.photo, self.style, self.mask, **changes)


def things_on(server: Server) -> Things:
    photo = server.upload("photos", png(noise()), "photo.png")["id"]
    style = server.upload("styles", png(noise(20, 30, seed=2)), "style.png")["id"]
    return Things(photo, style, server.mask_of(photo))


@pytest.fixture(scope="session")
def things(server: Server) -> Things:
    return things_on(server)
