"""Where downloaded files are kept, and whether there are downloads."""

from __future__ import annotations

from pathlib import Path

import pytest

from instyle_core.weights.cache import cache_folder, offline, user_folder


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("INSTYLE_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("INSTYLE_CACHE")
    folder = cache_folder()
    assert folder.name == "weights"
    assert "instyle" in folder.parts
    assert not folder.exists()


def test_what_else_is_kept_has_folders_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    assert user_folder("styles") == tmp_path / "styles"
    monkeypatch.delenv("INSTYLE_CACHE")
    assert user_folder("styles") == cache_folder().with_name("styles")


def test_a_relative_folder_is_one_of_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INSTYLE_CACHE", "mine")
    assert cache_folder() == tmp_path / "mine"


@pytest.mark.parametrize(
    ("value", "forbidden"), [(None, False), ("", False), ("0", False), ("1", True), ("yes", True)]
)
def test_downloads_are_forbidden_by_a_variable(
    value: str | None, forbidden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INSTYLE_OFFLINE", raising=False)
    if value is not None:
        monkeypatch.setenv("INSTYLE_OFFLINE", value)
    assert offline() is forbidden
