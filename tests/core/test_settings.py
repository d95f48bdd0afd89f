"""The user's file of settings."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instyle_core.errors import InputError
from instyle_core.settings import cache_setting, setting, settings_file, with_setting
from tests.core.helpers.settings import write


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings_file() == tmp_path / "instyle" / "config.toml"


@pytest.mark.parametrize("home", ["/nonexistent", "/dev/null", ""])
def test_a_home_that_is_not_there_has_no_settings(
    monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", home)
    assert setting("device") is None
    assert cache_setting() is None


def test_a_relative_folder_is_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: Path("~/.config"))
    assert settings_file() is None
    assert setting("device") is None


def test_a_value_has_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, monkeypatch, '# mine\n\ndevice = "cpu"\n"cache" = "/x"\n')
    device, cache = setting("device"), setting("cache")
    assert device
    assert (device.value, device.where) == ("cpu", f"{path}:3")
    assert cache
    assert cache.where == f"{path}:4"
    assert setting("preset") is None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('device = "cpu"\ncache = x\n', 2, "no TOML"),
        ('device = "cpu"\ndevice = "cpu"\n', 2, "no TOML"),
        ('\n\ndevice = "cpu', 3, "no TOML"),
        ('\ndevise = "cpu"\n', 2, "unknown key 'devise'"),
        ('\n[device]\na = "cpu"\n', 2, "'device' should be a text"),
        ("device = 1\n", 1, "'device' should be a text"),
        ('preset = ""\n', 1, "'preset' should be a text"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, line: int, words: str
) -> None:
    path = write(tmp_path, monkeypatch, text)
    with pytest.raises(InputError) as caught:
        setting("device")
    assert caught.value.where == f"{path}:{line}"
    assert words in caught.value.what
    assert caught.value.hint


def test_what_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, monkeypatch, "")
    path.write_bytes(b"# a\n\xff\xfe\n")
    with pytest.raises(InputError, match="UTF-8") as caught:
        setting("device")
    assert caught.value.where == f"{path}:2"
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        setting("device")


def test_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, monkeypatch, 'cache = "~/kept"\n')
    assert cache_setting() == str(tmp_path / "kept")


def test_a_cache_folder_that_depends_on_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, monkeypatch, 'cache = "kept"\n')
    with pytest.raises(InputError, match="absolute") as caught:
        cache_setting()
    assert caught.value.where == f"{path}:1"


def test_it_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever edits it while a run is at work does not stop the run."""
    path = write(tmp_path, monkeypatch, 'device = "cpu"\n')
    assert setting("device")
    path.write_text("device = ")
    found = setting("device")
    assert found
    assert found.value == "cpu"


VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@given(value=VALUES, before=st.sampled_from(["", "# a", '# a\ndevice = "x"  # b\npreset = "p"\n']))
def test_a_changed_value_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, value: str, before: str
) -> None:
    path = tmp_path_factory.mktemp("settings") / "config.toml"
    path.write_text(before, "utf-8")
    text = with_setting(path, "device", value)
    assert tomllib.loads(text) == {**tomllib.loads(before), "device": value}
    assert text.startswith("# a" if before else "device")


def test_a_value_of_several_lines_is_left_to_its_author(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('device = """\ncpu"""\n')
    with pytest.raises(InputError, match="cannot be replaced"):
        with_setting(path, "device", "cuda")
