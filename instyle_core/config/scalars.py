"""Single values of YAML that mean one thing only, whichever version of YAML they are read by.

PyYAML reads YAML 1.1; editors and most people have YAML 1.2 in mind, in which ``0512`` is 512 and
not 330, ``1:30`` is a text and not 90, and ``no`` is a text as well. What the two read differently
is refused, rather than painted with a value that nobody meant.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from instyle_core.interfaces.messages import shown

_TAG = "tag:yaml.org,2002:"

#: The types that values can have.
_TYPES = {_TAG + name for name in ("str", "int", "float", "bool", "null")}

_SURROGATE = re.compile("[\ud800-\udfff]")
_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"


class Doubtful(ValueError):
    """A value that cannot be taken as it is written.

    Args:
        what: what is wrong with it.
        hint: what to write instead.
    """

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.hint = hint


class Loader(yaml.SafeLoader):
    """YAML 1.1, but with numbers such as ``1e4``, and without dates, which no setting is."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own form)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


# In YAML 1.1, only `1.0e+4` is a number; people write `1e4`, as in YAML 1.2 and JSON.
Loader.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def value_of(loader: Loader, node: yaml.ScalarNode) -> Any:
    """The value of a scalar: None, a bool, a finite number or a text.

    Raises:
        Doubtful: it has two readings, or none.
    """
    written = node.value
    if node.tag not in _TYPES:
        raise Doubtful(f"{written!r} has the type {node.tag}, which no setting has", _QUOTES)
    try:
        value = loader.construct_object(node)
    except (ValueError, KeyError) as error:  # such as a number of thousands of digits
        raise Doubtful(f"{shown(written)} cannot be read: {error}", _QUOTES) from error
    implicit = loader.resolve(type(node), written, (True, False))  # type: ignore[no-untyped-call]
    plain = node.style is None and node.tag == implicit
    if plain and not _same(value, newer := _newer(written)):
        what = f"{written} can be read as {shown(value)} and as {shown(newer)}"
        first, second = sorted((newer, value), key=lambda reading: isinstance(reading, str))
        raise Doubtful(what, f"write {_in_full(first)}, or {_in_full(second)}")
    if isinstance(value, int | float) and not _finite(value):
        raise Doubtful(f"{shown(written)} is no finite number")
    return text_of(value) if isinstance(value, str) else value


_QUOTES = "a text needs quotes around it"


def text_of(text: str) -> str:
    """A text whose characters can be written to a file, or are a part of a file's name.

    JSON writes characters beyond U+FFFF as two escapes, which YAML does not join.

    Raises:
        Doubtful: it has a character that is none.
    """
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    # U+DC80 to U+DCFF stand for the bytes of a name that is not UTF-8.
    if wrong := re.search("[\0\ud800-\udc7f\udd00-\udfff]", text):
        raise Doubtful(f"U+{ord(wrong[0]):04X} is no character that a text can have")
    return text


def _newer(written: str) -> Any:
    """What the core schema of YAML 1.2 takes an unquoted scalar for."""
    if written in ("", "~", "null", "Null", "NULL"):
        return None
    if written in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return written.lower() == "true"
    if re.fullmatch("[-+]?[0-9]+", written):
        return int(written)
    if re.fullmatch("0o[0-7]+|0x[0-9a-fA-F]+", written):
        return int(written, 0)
    if re.fullmatch(_FLOAT, written):
        return float(written)
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", written):
        return float(written.replace(".", ""))
    return written


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and (one == other or one != one)


def _in_full(value: Any) -> str:
    """A value as all versions of YAML read it."""
    return f"'{value}' with the quotes" if isinstance(value, str) else shown(value)
