"""What the tests of the studio share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.core.helpers.studio import TOY, noise
from tests.plugins.instyle_studio.serving import Server, png, spec_of, style_folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests that leave it as it is, but for more uploads and other runs."""
    folder = tmp_path_factory.mktemp("studio")
    options = ["--styles", style_folder(folder / "styles")]
    with Server.start(folder / "session", *options, loads=True) as started:
        yield started


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
