"""The worker that looks at photos."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from instyle_core import InputError
from instyle_studio.looker import Looker
from instyle_studio.session import Limits, Session, read_about
from tests.core.helpers.studio import noise, rectangle, save


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path / "session")


def ask(session: Session, what: str, **arguments: Any) -> Any:
    return Looker(session.root, 4.0)({"do": what, **arguments}, lambda event: None)


def test_an_uploaded_mask_of_another_size_is_fitted(session: Session, tmp_path: Path) -> None:
    path = save(tmp_path / "m.png", rectangle((20, 10, 40, 30), 40, 60))
    asked = {"path": str(path), "photo_id": "p", "size": (80, 120), "name": "m.png"}
    found = ask(session, "mask", **asked)
    assert found["box"] == [40, 20, 80, 60]
    assert found["area"] == pytest.approx(40 * 40 / (80 * 120), abs=1e-4)
    item = session.item("masks", found["id"])
    assert np.asarray(Image.open(item.path)).shape == (80, 120)
    about = read_about(item.path.parent)
    assert (about["photo"], about["name"], about["width"], about["height"]) == (
        "p",
        "m.png",
        120,
        80,
    )


def test_a_large_mask_is_also_kept_small(session: Session, tmp_path: Path) -> None:
    path = save(tmp_path / "m.png", rectangle((500, 300, 1000, 700), 1000, 2000))
    asked = {"path": str(path), "photo_id": "p", "size": (1000, 2000), "name": ""}
    item = session.item("masks", ask(session, "mask", **asked)["id"])
    shown = np.asarray(Image.open(item.shown))
    assert shown.shape == (Limits.shown // 2, Limits.shown)
    assert shown[400, 600] == 255
    assert shown[100, 100] == 0


def test_a_picture_is_shrunk_and_keeps_its_transparency(session: Session, tmp_path: Path) -> None:
    samples = np.concatenate(
        [noise(100, 200) // 8 + 100, rectangle((0, 0, 100, 100), 100, 200)[..., None]], axis=2
    )
    path = save(tmp_path / "a.png", samples)
    ask(session, "shrink", path=str(path), to=str(tmp_path / "s.webp"), longest=50)
    shown = Image.open(io.BytesIO((tmp_path / "s.webp").read_bytes()))
    assert shown.size == (50, 25)
    alpha = np.asarray(shown.convert("RGBA"))[..., 3]
    assert alpha[12, 5] == 255
    assert alpha[12, 45] == 0


def test_a_picture_that_is_too_large_is_refused(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("L", (3000, 2000)).save(path)
    with pytest.raises(InputError, match="megapixels"):
        ask(session, "shrink", path=str(path), to=str(tmp_path / "s.webp"), longest=50)


def test_what_it_does_not_do(session: Session) -> None:
    with pytest.raises(KeyError):
        ask(session, "prepare")
