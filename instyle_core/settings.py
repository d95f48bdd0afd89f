"""What a user has set for all runs, in a file where the platform keeps such files."""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from instyle_core.errors import InputError, did_you_mean, first_line

#: What can be set, and what it is.
KEYS = {
    "cache": "the folder of downloads and of what is kept between runs",
    "device": "where runs compute whose spec does not say",
    "preset": "what `instyle pipeline init` starts from",
}


@dataclass(frozen=True)
class Setting:
    """A value, and where it was set, such as ``/home/me/.config/instyle/config.toml:2``."""

    value: str
    where: str


def settings_file() -> Path | None:
    """The user's file, which need not exist; None where there is no home to keep it in."""
    from platformdirs import user_config_path

    try:
        path = user_config_path("instyle", appauthor=False) / "config.toml"
    except (RuntimeError, OSError):  # of a user whom the system does not know
        return None
    return path if path.is_absolute() else None


def setting(key: str) -> Setting | None:
    """What the user has set for one of `KEYS`.

    The file is read once in a process: a run is not disturbed by a change to it.

    Raises:
        InputError: the file cannot be read, is not TOML, or has a wrong key or value.
    """
    path = settings_file()
    return _read(path).get(key) if path else None


def cache_setting() -> str | None:
    """The folder that the user has set instead of the platform's cache folder.

    Raises:
        InputError: as `setting`, and as `absolute_folder`.
    """
    found = setting("cache")
    return absolute_folder(found.value, found.where) if found else None


def absolute_folder(value: str, where: str) -> str:
    """The folder that a value names, with ``~`` spelled out.

    Raises:
        InputError: it depends on the working directory.
    """
    folder = os.path.expanduser(value)
    if not os.path.isabs(folder):
        what = f"'cache' should be an absolute path; it is '{value}'"
        raise InputError(what, where=where, hint="such as ~/instyle-cache")
    return folder


def with_setting(path: Path, key: str, value: str) -> str:
    """The text of the user's file with one value changed; everything else in it is kept.

    Raises:
        InputError: the file cannot be read or is wrong already, or its form is not one in which a
            line can be replaced.
    """
    before, lines = _parsed(path), _text(path).splitlines()
    # A text of JSON is one of TOML, too.
    line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
    number = _line("\n".join(lines), key) - 1 if key in before else len(lines)
    text = "\n".join([*lines[:number], line, *lines[number + 1 :]]) + "\n"
    wanted = {name: known.value for name, known in before.items()} | {key: value}
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        written = {}
    if written != wanted:
        what = f"the line of '{key}' cannot be replaced"
        raise InputError(what, where=str(path), hint=f"change it by hand to {line}")
    _read.cache_clear()
    return text


def _parsed(path: Path) -> dict[str, Setting]:
    text, where = _text(path), str(path)
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, place = first_line(error).partition(" (at ")
        line = re.match(r"line (\d+)", place)
        # The other place that it names is the end of the document.
        number = int(line[1]) if line else max(1, len(text.splitlines()))
        hint = 'a line should be such as device = "cpu"'
        raise InputError(
            f"this is no TOML: {what}", where=f"{where}:{number}", hint=hint
        ) from error
    result = {}
    for key, value in found.items():
        place = f"{where}:{_line(text, key)}"
        if key not in KEYS:
            hint = did_you_mean(key, KEYS) or f"there are: {', '.join(KEYS)}"
            raise InputError(f"unknown key '{key}'", where=place, hint=hint)
        if not (isinstance(value, str) and value):
            hint = f'in quotes, such as {key} = "..."'
            raise InputError(f"'{key}' should be a text", where=place, hint=hint)
        result[key] = Setting(value, place)
    return result


_read = cache(_parsed)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError("this is no text in UTF-8", where=f"{path}:{line}") from error
    except OSError as error:
        what, hint = f"the file cannot be read: {error.strerror}", "check its permissions"
        raise InputError(what, where=str(path), hint=hint) from error


def _line(text: str, key: str) -> int:
    """The line that sets a key of the top level; such a key can be in quotes."""
    begins = re.compile(rf"""\s*\[?["']?{re.escape(key)}\b""")
    numbers = (n for n, line in enumerate(text.splitlines(), start=1) if begins.match(line))
    return next(numbers, 1)
