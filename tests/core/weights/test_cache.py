"""Where downloaded files are kept, and whether there are downloads."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from instyle_core.errors import CacheWarning, WeightsError
from instyle_core.weights.cache import cache_folder, forbidden_by, user_folder, warn_not_kept


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


@pytest.mark.parametrize("value", [None, "", "0"])
def test_downloads_are_allowed(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INSTYLE_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert forbidden_by() is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INSTYLE_OFFLINE", "1"),
        ("INSTYLE_OFFLINE", "yes"),
        ("HF_HUB_OFFLINE", "1"),
        ("HF_HUB_OFFLINE", "true"),
        ("HF_HUB_OFFLINE", "YES"),
    ],
)
def test_downloads_are_forbidden_by_a_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("INSTYLE_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    assert forbidden_by() == name


# --- no home --------------------------------------------------------------------------------------


def test_the_home_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_CACHE", "~nosuch-user/x")
    with pytest.raises(WeightsError, match="INSTYLE_CACHE=~nosuch-user/x names none") as caught:
        user_folder("styles")
    assert "set INSTYLE_CACHE" in str(caught.value.hint)


@pytest.mark.parametrize("answer", [RuntimeError("could not determine"), "~/.cache/instyle", "."])
def test_a_user_without_a_home(
    answer: str | Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """platformdirs raises, or in older versions returns what is no absolute path."""

    def user_cache_dir(_: str) -> str:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.delenv("INSTYLE_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", user_cache_dir)
    with pytest.raises(WeightsError, match="the user has no home"):
        cache_folder()


def test_it_is_said_once(recwarn: pytest.WarningsRecorder) -> None:
    warnings.simplefilter("default")
    for _ in range(3):
        warn_not_kept("it is full of this test")
    (warning,) = recwarn.list
    assert warning.category is CacheWarning
    assert "it is full of this test" in str(warning.message)
    assert "INSTYLE_CACHE" in str(warning.message)
