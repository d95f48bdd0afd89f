"""A YAML or JSON file read so that every value knows its line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from instyle_core.errors import InputError

Location = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """YAML 1.1 wants ``1.0e+4``; people write ``1e4``, as YAML 1.2 and JSON allow."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


class CommandLineText(str):
    """A text that came with ``--set``: as a path it is relative to the working directory."""

    __slots__ = ()

    @property
    def folder(self) -> Path:
        return Path.cwd()


@dataclass
class Document:
    """Plain data (mappings, lists, scalars) with the place of each value.

    Attributes:
        name: of the file, as the user wrote it.
        folder: that relative paths in it are relative to.
        data: the content.
        places: where each value came from, such as ``spec.yaml:12``, by its location.
        problems: what is wrong with the YAML itself where it could be read all the same.
    """

    name: str
    folder: Path
    data: Any
    places: dict[Location, str] = field(default_factory=dict)
    problems: list[InputError] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read a file.

        Raises:
            InputError: there is no such file, it is no text, or no YAML.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            hint = "`instyle pipeline init -o spec.yaml` writes one to start from"
            raise InputError(error.strerror or str(error), where=str(path), hint=hint) from error
        except UnicodeDecodeError as error:
            raise InputError("this is no UTF-8 text", where=str(path)) from error
        return cls.parse(text, str(path), path.resolve().parent)

    @classmethod
    def parse(cls, text: str, name: str, folder: Path) -> Document:
        """Read a text; ``name`` is what messages call it."""
        document = cls(name, folder, None)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                document.data = document._build(loader, node, (), ())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f"{name}:{mark.line + 1}" if mark else name
            raise InputError(f"this is no YAML: {error.problem}", where=where) from error
        except (yaml.YAMLError, ValueError) as error:
            raise InputError(f"this is no YAML: {error}", where=name) from error
        finally:
            loader.dispose()
        return document

    def _build(
        self, loader: _Loader, node: yaml.Node, location: Location, path: tuple[yaml.Node, ...]
    ) -> Any:
        self.places.setdefault(location, f"{self.name}:{node.start_mark.line + 1}")
        if node in path:
            raise yaml.MarkedYAMLError(
                problem="an alias that contains itself", problem_mark=node.start_mark
            )
        path = (*path, node)
        if isinstance(node, yaml.SequenceNode):
            return [
                self._build(loader, child, (*location, index), path)
                for index, child in enumerate(node.value)
            ]
        if isinstance(node, yaml.MappingNode):
            written = [key.value for key, _ in node.value]
            loader.flatten_mapping(node)  # resolves `<<`, whose keys may be overridden
            mapping: dict[Any, Any] = {}
            for key_node, child in node.value:
                if not isinstance(key_node, yaml.ScalarNode):
                    raise yaml.MarkedYAMLError(
                        problem="a key that is no plain text", problem_mark=key_node.start_mark
                    )
                key = loader.construct_object(key_node)
                place = f"{self.name}:{key_node.start_mark.line + 1}"
                if written.count(key_node.value) > 1 and key in mapping:
                    self.problems.append(InputError(f"the key '{key}' is there twice", where=place))
                self.places[*location, key] = place
                mapping[key] = self._build(loader, child, (*location, key), path)
            return mapping
        return loader.construct_object(node)

    def child(self, key: str) -> Document:
        """The part of a document under a key of its top level."""
        places = {loc[1:]: place for loc, place in self.places.items() if loc[:1] == (key,)}
        return Document(self.name, self.folder, self.data[key], places, self.problems)

    def place(self, location: Sequence[str | int]) -> str:
        """Where a value, or the nearest thing around it that is there, was written."""
        for end in range(len(location), -1, -1):
            if (place := self.places.get(tuple(location[:end]))) is not None:
                return place
        return self.name

    def set(self, assignment: str) -> None:
        """Apply one ``--set`` of the command line, such as ``objects.0.style=x.jpg``.

        Raises:
            InputError: it is not of that form, or leads nowhere.
        """
        where = f"--set {assignment}"
        dotted, equals, text = assignment.partition("=")
        if not equals or not dotted:
            hint = "for example --set objects.0.style=painting.jpg"
            raise InputError("this is not of the form KEY=VALUE", where=where, hint=hint)
        self.assign(dotted, Document.parse(text, where, Path.cwd()).data, where)

    def assign(self, dotted: str, value: Any, where: str) -> None:
        """Put a value from the command line in place of the document's own.

        Args:
            dotted: its place, such as ``objects.0.style``.
            value: plain data.
            where: the option that it came with.

        Raises:
            InputError: the place leads nowhere.
        """
        value = _marked(value)
        keys = [int(key) if key.isdecimal() else key for key in dotted.split(".")]
        if not isinstance(self.data, dict):
            self.data = {}
        target: Any = self.data
        for depth, key in enumerate(keys):
            last = depth == len(keys) - 1
            if isinstance(target, list):
                if (
                    not isinstance(key, int)
                    or key > len(target)
                    or (key == len(target) and not last)
                ):
                    there = f"there are {len(target)} entries, counted from 0"
                    raise InputError(
                        f"'{dotted}' leads nowhere at '{key}'", where=where, hint=there
                    )
                if key == len(target):
                    target.append(None)
            elif not isinstance(target, dict):
                around = ".".join(map(str, keys[:depth]))
                raise InputError(f"'{around}' is a single value, it has no '{key}'", where=where)
            else:
                key = str(key)
                if not last and not isinstance(target.get(key), dict | list):
                    target[key] = {}
            keys[depth] = key
            if last:
                target[key] = value
            else:
                target = target[key]
        changed = tuple(keys)
        for location in [loc for loc in self.places if loc[: len(changed)] == changed]:
            del self.places[location]
        self.places[changed] = where


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return CommandLineText(value)
    if isinstance(value, list):
        return [_marked(item) for item in value]
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    return value
