"""The folder of a session: whole things alone, whatever kills the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from instyle_core import InputError
from instyle_studio.errors import Refused
from instyle_studio.session import KINDS, Session, read_about, write_about
from tests.core.helpers.studio import HEIGHT, WIDTH, noise, save
from tests.plugins.instyle_studio.serving import style_folder


def test_what_was_added_is_found_again(tmp_path: Path) -> None:
    session = Session(tmp_path / "session")
    path = save(tmp_path / "cat.png", noise())
    first = session.add("photos", path, "cat.png")
    second = session.add("photos", save(tmp_path / "dog.png", noise(seed=1)), "dog.png")
    for found in (session, Session(tmp_path / "session")):
        items = found.items("photos")
        assert [item.id for item in items] == [first.id, second.id]
        assert items[0].about["name"] == "cat.png"
        assert (items[0].about["width"], items[0].about["height"]) == (WIDTH, HEIGHT)
        assert items[0].path.read_bytes() == path.read_bytes()
        assert found.item("photos", first.id).path == first.path
    assert session.add("photos", path, "cat.png").id == first.id  # it is there already
    assert session.add("photos", path, "other.png").id != first.id


def test_what_was_not_complete_is_removed(tmp_path: Path) -> None:
    session = Session(tmp_path)
    for kind in KINDS:
        half = tmp_path / kind / ".0123456789abcdef"
        half.mkdir()
        (half / "file.png").write_bytes(b"half")
    (tmp_path / "scratch" / ".x").mkdir()
    Session(tmp_path)
    assert [path for path in tmp_path.rglob(".*")] == []
    with pytest.raises(ValueError, match="stop"), session.making("photos"):
        raise ValueError("stop")
    with session.scratch() as folder:
        (folder / "x").write_text("x")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert session.items("photos") == []


@pytest.mark.parametrize(
    "identity", ["", ".", "..", "../photos", "x", "0" * 15, "0" * 17, "A" * 16]
)
@pytest.mark.parametrize("kind", ["photos", "styles", "masks"])
def test_an_id_is_sixteen_digits_and_no_path(tmp_path: Path, kind: str, identity: str) -> None:
    session = Session(tmp_path)
    save(tmp_path / kind / "file.png", noise())
    with pytest.raises(Refused) as caught:
        session.item(kind, identity)
    assert caught.value.status == 404


def test_pictures_of_a_folder_have_the_same_id_in_each_session(tmp_path: Path) -> None:
    folder = style_folder(tmp_path / "styles")
    one, other = (Session(tmp_path / name, [folder]) for name in "ab")
    ids = [[item.id for item in s.items("styles")] for s in (one, other)]
    assert ids[0] == ids[1]
    assert [item.path.name for item in one.items("styles")] == ["noise.png", "red.png"]
    save(folder / "new.png", noise())
    (folder / "red.png").write_bytes(b"damaged")
    assert [item.path.name for item in one.items("styles")] == ["new.png", "noise.png"]
    for path in folder.iterdir():
        path.unlink()
    assert one.items("styles") == []


def test_what_may_be_read(tmp_path: Path) -> None:
    folder = style_folder(tmp_path / "styles")
    session = Session(tmp_path / "session", [folder])
    assert session.may_read(folder / "red.png")
    assert session.may_read(tmp_path / "session" / "photos")
    for path in (
        tmp_path,
        tmp_path / "styles2" / "x.png",
        folder / ".." / "outside.png",
        folder / "link.png",
        Path("/etc/passwd"),
    ):
        assert not session.may_read(path)


def test_a_picture_that_is_too_large_is_refused_by_its_header(tmp_path: Path) -> None:
    session = Session(tmp_path / "session", megapixels=0.002)
    with pytest.raises(InputError, match="megapixels"):
        session.add("photos", save(tmp_path / "a.png", noise()), "a.png")
    assert session.items("photos") == []


def test_damaged_facts_are_nothing(tmp_path: Path) -> None:
    write_about(tmp_path, {"a": 1})
    assert read_about(tmp_path) == {"a": 1}
    for text in ("", "{", "[]", "\xff"):
        (tmp_path / "about.json").write_text(text, encoding="latin-1")
        assert read_about(tmp_path) == {}


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be used"):
        Session(tmp_path / "file" / "session")
