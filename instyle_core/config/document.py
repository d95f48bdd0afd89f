"""YAML and JSON files, read with the line of every value."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from instyle_core.config.scalars import Doubtful, Loader, text_of, value_of
from instyle_core.errors import InputError

#: The keys and indices that lead to a value, such as ``("objects", 0, "style")``.
Location = tuple[str | int, ...]

#: More values than any spec has; a few nested aliases can stand for billions.
_MOST_VALUES = 100_000
_TOO_MANY = f"there are more than {_MOST_VALUES:,} values"

#: More levels than any spec has.
_DEEPEST = 50

#: More bytes than any spec or record of a run has.
_MOST_BYTES = 8_000_000


class _Loader(Loader):
    """Collects keys that are there twice, and gives up on more values than any spec has."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.repeated: list[yaml.Node] = []
        self._name = name
        self._nodes = 0

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        self._nodes += 1
        if self._nodes > 2 * _MOST_VALUES:  # keys are nodes, too
            line = self.get_mark().line + 1  # type: ignore[no-untyped-call]
            raise InputError(_TOO_MANY, where=f"{self._name}:{line}")
        return super().compose_node(parent, index)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    self.repeated.append(key)
                seen.add(key.value)
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Resolve ``<<``. Each key is kept once: merges of merges would multiply them."""
        super().flatten_mapping(node)
        last = {
            key.value if isinstance(key, yaml.ScalarNode) else id(key): (key, child)
            for key, child in node.value
        }
        node.value = list(last.values())


_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class CommandLineText(str):
    """A text from ``--set``: if it is a path, it is relative to the working directory."""

    __slots__ = ()

    @property
    def folder(self) -> Path:
        return Path.cwd()


@dataclass
class Document:
    """Plain data (mappings, lists, scalars) with the place of each value.

    Attributes:
        name: of the file, as the user wrote it.
        folder: the one that relative paths in it start from.
        data: the content.
        places: where each value came from, such as ``spec.yaml:12``, by its location.
        problems: what was found wrong so far: keys that are there twice, values with two readings,
            assignments that failed.
        doubtful: where values are about which `problems` has said enough.
    """

    name: str
    folder: Path
    data: Any
    places: dict[Location, str] = field(default_factory=dict)
    problems: list[InputError] = field(default_factory=list)
    doubtful: set[Location] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read a file.

        Raises:
            InputError: there is no such file, it cannot be read, or it is not a YAML text.
        """
        try:
            text = _bytes_of(path).decode("utf-8")
        except FileNotFoundError as error:
            hint = "`instyle pipeline init -o spec.yaml` writes one to start from"
            raise InputError("there is no such file", where=str(path), hint=hint) from error
        except OSError as error:
            what = f"this cannot be read: {error.strerror or error}"
            raise InputError(what, where=str(path)) from error
        except UnicodeDecodeError as error:
            what, hint = "this is no text", "a spec is a text file in UTF-8"
            raise InputError(what, where=str(path), hint=hint) from error
        except ValueError as error:  # such as a NUL in it
            raise InputError(f"this is no name of a file: {error}", where=str(path)) from error
        return cls.parse(text, str(path), Path(os.path.realpath(path)).parent)

    @classmethod
    def parse(cls, text: str, name: str, folder: Path) -> Document:
        """Read a text; ``name`` is what messages call it.

        Raises:
            InputError: it is not YAML.
        """
        document = cls(name, folder, None)
        try:
            loader = _Loader(text, name)
            node = loader.get_single_node()
            if node is not None:
                document.data = document._build(loader, node, (), ())
        except yaml.MarkedYAMLError as error:
            raise _broken(name, error) from error
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            what = f"the character U+{error.character:04X} is not allowed in YAML"
            raise InputError(what, where=f"{name}:{line}") from error
        except RecursionError as error:
            raise InputError("this is nested too deeply", where=name) from error
        document.problems += [
            InputError(f"the key '{key.value}' is there twice", where=document._line(key))
            for key in loader.repeated
        ]
        return document

    def _line(self, node: yaml.Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"

    def _build(
        self, loader: _Loader, node: yaml.Node, location: Location, around: tuple[yaml.Node, ...]
    ) -> Any:
        self.places.setdefault(location, self._line(node))
        if node in around:
            raise self._refusal(node, "an alias stands for something that contains it")
        if len(self.places) > _MOST_VALUES:
            raise self._refusal(node, _TOO_MANY)
        if len(location) > _DEEPEST:
            raise self._refusal(node, "this is nested too deeply")
        around = (*around, node)
        if isinstance(node, yaml.CollectionNode) and node.tag not in _COLLECTIONS:
            raise self._refusal(node, f"{node.tag} is no type that a setting has")
        if isinstance(node, yaml.SequenceNode):
            return [
                self._build(loader, child, (*location, index), around)
                for index, child in enumerate(node.value)
            ]
        if isinstance(node, yaml.MappingNode):
            # Resolves `<<`; own keys come last, and so override others.
            loader.flatten_mapping(node)
            entries = {}
            for key, child in node.value:
                name = self._key(key)
                entries[name] = child
                self.places[*location, name] = self._line(key)
            return {
                key: self._build(loader, child, (*location, key), around)
                for key, child in entries.items()
            }
        assert isinstance(node, yaml.ScalarNode)
        try:
            return value_of(loader, node)
        except Doubtful as error:
            self.problems.append(self.error(location, str(error), error.hint))
            self.doubtful.add(location)
            return None

    def _key(self, node: yaml.Node) -> str:
        """A key is the text as written: `on` is not true, and `1` not a number."""
        if not isinstance(node, yaml.ScalarNode):
            raise self._refusal(node, "a key should be a plain text")
        try:
            return text_of(str(node.value))
        except Doubtful as error:
            raise self._refusal(node, str(error)) from error

    def _refusal(self, node: yaml.Node, what: str, hint: str | None = None) -> InputError:
        return InputError(what, where=self._line(node), hint=hint)

    def child(self, key: str) -> Document:
        """The part of the document under a key of its top level."""
        places = {loc[1:]: place for loc, place in self.places.items() if loc[:1] == (key,)}
        doubtful = {loc[1:] for loc in self.doubtful if loc[:1] == (key,)}
        return Document(self.name, self.folder, self.data[key], places, self.problems, doubtful)

    def place(self, location: Sequence[str | int]) -> str:
        """Where a value was written; if it is not there, the nearest thing around it."""
        for end in range(len(location), -1, -1):
            if (place := self.places.get(tuple(location[:end]))) is not None:
                return place
        return self.name

    def error(
        self, location: Sequence[str | int], what: str, hint: str | None = None
    ) -> InputError:
        """An error about a value, with its key and the place where it was written."""
        key = ".".join(map(str, location))
        return InputError(f"{key}: {what}" if key else what, where=self.place(location), hint=hint)

    def set(self, assignment: str) -> None:
        """Apply one ``--set`` of the command line, such as ``objects.0.style=x.jpg``.

        If it is wrong, the error is added to `problems`.
        """
        where = f"--set {assignment}"
        dotted, equals, text = assignment.partition("=")
        if not equals or not dotted:
            hint = "for example --set objects.0.style=painting.jpg"
            problem = InputError("this is not of the form KEY=VALUE", where=where, hint=hint)
            self.problems.append(problem)
            return
        if text == "-":  # standard input or output, which YAML would take for a list
            self.assign(dotted, text, where)
            return
        try:
            value = Document.parse(text, where, Path.cwd())
        except InputError as error:
            self.problems.append(InputError(error.what, where=where, hint=error.hint))
            return
        for problem in value.problems:
            self.problems.append(InputError(problem.what, where=where, hint=problem.hint))
        if not value.problems:
            self.assign(dotted, value.data, where)

    def assign(self, dotted: str, value: Any, where: str) -> None:
        """Put a value from the command line in place of the document's own.

        If there is no such place, the error is added to `problems`.

        Args:
            dotted: the place, such as ``objects.0.style``.
            value: plain data.
            where: the option that it came with.
        """
        if self.data is None:
            self.data = {}
        if not isinstance(self.data, dict):
            return  # not a spec; the check of the document reports that
        before = deepcopy(self.data)
        try:
            self._put(dotted, value, where)
        except InputError as error:
            self.data = before
            self.problems.append(error)

    def _put(self, dotted: str, value: Any, where: str) -> None:
        target, location = self.data, Location()
        *around, last = keys = dotted.split(".")
        for key, following in zip(around, keys[1:], strict=True):
            part = _part(target, key, location, where)
            location = (*location, part)
            if isinstance(target, dict) and target.get(key) is None:
                target[key] = [] if following.isdecimal() else {}
                self.places[location] = where
            target = target[part]
        if isinstance(target, list) and last == str(len(target)):
            target.append(None)  # the place after the last one
        part = _part(target, last, location, where)
        target[part] = _marked(value)
        location = (*location, part)
        for inner in [loc for loc in self.places if loc[: len(location)] == location]:
            del self.places[inner]
        self.places[location] = where


def _bytes_of(path: Path) -> bytes:
    """The content of a file, which is not waited for as that of a pipe would be.

    Raises:
        InputError: it is a pipe or a device, or too large.
        OSError: it cannot be read.
        ValueError: no file can have such a name.
    """

    def open_at_once(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    with open(path, "rb", opener=open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InputError("this is a pipe or a device, not a file", where=str(path))
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        what = f"this is no spec: it has more than {_MOST_BYTES:,} bytes"
        raise InputError(what, where=str(path))
    return data


def _part(target: Any, key: str, around: Location, where: str) -> str | int:
    """The key or the index that a part of ``--set`` stands for in a mapping or a list."""
    if isinstance(target, dict):
        return key
    name = ".".join(map(str, around))
    if not isinstance(target, list):
        hint = f"where it may have keys, set it as a whole: --set '{name}={{{key}: ...}}'"
        raise InputError(f"'{name}' is a single value, it has no '{key}'", where=where, hint=hint)
    if not key.isdecimal() or int(key) >= len(target):
        hint = f"the spec has {len(target)} there, counted from 0"
        raise InputError(f"'{name}' has no entry '{key}'", where=where, hint=hint)
    return int(key)


def _broken(name: str, error: yaml.MarkedYAMLError) -> InputError:
    mark = error.problem_mark or error.context_mark
    what = f"this is no YAML: {error.problem}"
    if error.context:
        begun, since = error.context_mark, ""
        if begun and mark and begun.line != mark.line:
            since = f" that begins in line {begun.line + 1}"
        what = f"this is no YAML: {error.context}{since}, {error.problem}"
    hint = "a text with any of : # , [ ] { } & * ! | > ' \" % @ ` in it may need quotes around it"
    if "'\\t'" in (error.problem or ""):
        hint = "indent with spaces, not with tabs"
    return InputError(what, where=f"{name}:{mark.line + 1}" if mark else name, hint=hint)


def _marked(value: Any) -> Any:
    """The same data with every text as a `CommandLineText`."""
    if isinstance(value, str):
        return CommandLineText(value)
    if isinstance(value, list):
        return [_marked(item) for item in value]
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    return value
