"""Which plugins there are: discovery, isolation of broken ones, name conflicts, look-up."""

from __future__ import annotations

import difflib
import inspect
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, get_args

import pluggy

from instyle_core.errors import InputError, InstyleError
from instyle_core.plugin import hookspecs
from instyle_core.plugin.hookspecs import API, GROUP, Kind, Plugin

if TYPE_CHECKING:
    import click


#: Limits the entry points that are loaded: ``none``, or names separated by commas.
ENVIRONMENT_VARIABLE = "INSTYLE_PLUGINS"


KINDS: tuple[Kind, ...] = get_args(Kind)


#: What the name of a plugin looks like.
NAME = "[a-z0-9]+(-[a-z0-9]+)*"


@dataclass(frozen=True)
class Entry:
    """A plugin that can be used, and where it comes from.

    Attributes:
        plugin: its record.
        distribution: the installed distribution that brought it, with its version.
    """

    plugin: Plugin
    distribution: str


@dataclass(frozen=True)
class Failure:
    """A plugin that cannot be used, and why.

    Attributes:
        name: of the plugin where one is known, else of its entry point.
        kind: of the plugin where one is known, else None.
        distribution: the installed distribution that brought it, with its version.
        reason: one sentence.
    """

    name: str
    kind: str | None
    distribution: str
    reason: str


class Registry:
    """The plugins of a set of entry points, loaded when they are first asked for.

    Nothing that a plugin does wrong raises here: it is kept as a `Failure`.
    """

    def __init__(self, points: Iterable[EntryPoint]) -> None:
        self._points = tuple(points)
        self._load_failures: list[Failure] = []
        self._sources: dict[str, str] = {}  # pluggy's name of a module -> its distribution

    @classmethod
    def installed(cls) -> Registry:
        """The plugins of all installed distributions, as far as ``INSTYLE_PLUGINS`` allows."""
        points = sorted(entry_points(group=GROUP), key=lambda point: (_origin(point), point.name))
        allowed = os.environ.get(ENVIRONMENT_VARIABLE)
        if allowed is not None:
            names = {name.strip() for name in allowed.split(",")} - {"none"}
            points = [point for point in points if point.name in names]
        return cls(points)

    # --- loading ----------------------------------------------------------------------------------

    @cached_property
    def _manager(self) -> pluggy.PluginManager:
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        for point in self._points:
            origin = _origin(point)
            name = f"{origin}:{point.name}"
            try:
                manager.register(point.load(), name=name)
                _check_hooks(manager, name)
            # A plugin may raise anything, SystemExit included, and must not take the tool along.
            except (Exception, SystemExit) as error:
                if manager.has_plugin(name):
                    manager.unregister(name=name)
                self._load_failures.append(Failure(point.name, None, origin, _reason(error)))
            else:
                self._sources[name] = origin
        return manager

    def _results(self, hook: str, failures: list[Failure]) -> Iterator[tuple[str, str, Any]]:
        """What each plugin returned from a hook: (entry point, distribution, item)."""
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            origin = self._sources[implementation.plugin_name]
            name = implementation.plugin_name.rpartition(":")[2]
            try:
                items = list(implementation.function())
            except (Exception, SystemExit) as error:
                failures.append(Failure(name, None, origin, f"{hook}: {_reason(error)}"))
                continue
            for item in items:
                yield name, origin, item

    @cached_property
    def _plugins(self) -> tuple[dict[tuple[str, str], Entry], list[Failure]]:
        failures: list[Failure] = []
        claims: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for name, origin, record in self._results("instyle_plugins", failures):
            problem = _problem_of_record(record)
            if problem:
                failures.append(Failure(*_labels(record, name), origin, problem))
            else:
                claims[record.kind, record.name].append(Entry(record, origin))
        entries = {key: claim[0] for key, claim in claims.items() if len(claim) == 1}
        for (kind, name), claim in claims.items():
            if len(claim) > 1:
                owners = " and ".join(entry.distribution for entry in claim)
                reason = (
                    f"the name is taken twice, by {owners}; uninstall one of them, or leave one "
                    f"out with {ENVIRONMENT_VARIABLE}"
                )
                failures += [Failure(name, kind, entry.distribution, reason) for entry in claim]
        return entries, failures

    # --- what there is ----------------------------------------------------------------------------

    def entries(self, kind: str | None = None) -> list[Entry]:
        """The plugins that can be used, by kind and name."""
        found = [entry for (k, _), entry in self._plugins[0].items() if kind in (None, k)]
        return sorted(found, key=lambda e: (KINDS.index(e.plugin.kind), e.plugin.name))

    @property
    def failures(self) -> list[Failure]:
        """The plugins that cannot be used, with the reasons."""
        _, failures = self._plugins
        return [*self._load_failures, *failures]

    def find(self, kind: str, name: str) -> Plugin:
        """Look a plugin up.

        Raises:
            InputError: there is none of that name; it says what is wrong with a broken one, or
                which names are near.
        """
        entries, _ = self._plugins
        if (kind, name) in entries:
            return entries[kind, name].plugin
        for failure in self.failures:
            if failure.name == name and failure.kind in (kind, None):
                what = f"the {kind} '{name}' of {failure.distribution} cannot be used"
                raise InputError(f"{what}: {failure.reason}")
        names = [entry.plugin.name for entry in self.entries(kind)]
        near = difflib.get_close_matches(name, names)
        others = [entry.plugin.kind for entry in self.entries() if entry.plugin.name == name]
        if others:
            hint = f"'{name}' is a plugin of another kind: {', '.join(others)}"
        elif near:
            hint = f"did you mean {' or '.join(repr(n) for n in near)}?"
        else:
            hint = f"installed: {', '.join(names)}" if names else f"no {kind} is installed"
        broken = [f"{f.name} of {f.distribution}" for f in self.failures if f.kind is None]
        if broken:
            hint += f"; note that {', '.join(broken)} failed to load: see `instyle plugins list`"
        raise InputError(f"no {kind} is called '{name}'", hint=hint)

    def origin(self, plugin: Plugin) -> str:
        """The distribution, with its version, that brought a plugin of this registry."""
        entries, _ = self._plugins
        return entries[plugin.kind, plugin.name].distribution

    def commands(self, taken: Iterable[str] = ()) -> tuple[dict[str, click.Command], list[Failure]]:
        """The commands that plugins add, by name, and those that cannot be added.

        Args:
            taken: the names of the commands that are there already.
        """
        import click

        taken = set(taken)
        failures: list[Failure] = []
        claims: dict[str, list[tuple[str, str, click.Command]]] = defaultdict(list)
        for name, origin, command in self._results("instyle_commands", failures):
            if isinstance(command, click.Command) and command.name:
                claims[command.name].append((name, origin, command))
            else:
                reason = f"instyle_commands returned {command!r}, which is no named click command"
                failures.append(Failure(name, None, origin, reason))
        commands: dict[str, click.Command] = {}
        for command_name, claim in claims.items():
            owners = [origin for _, origin, _ in claim]
            if command_name in taken:
                reason = f"the command '{command_name}' is instyle's own"
            elif len(claim) > 1:
                reason = f"the command '{command_name}' is added twice, by {' and '.join(owners)}"
            else:
                commands[command_name] = claim[0][2]
                continue
            failures += [Failure(name, None, origin, reason) for name, origin, _ in claim]
        return commands, [*self._load_failures, *failures]


def _origin(point: EntryPoint) -> str:
    """The distribution of an entry point, such as ``instyle 0.1.0``."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, InstyleError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _labels(record: object, point: str) -> tuple[str, str | None]:
    """What to call a bad record: its name, else its entry point's, and its kind if it has one."""
    name, kind = getattr(record, "name", None), getattr(record, "kind", None)
    return name if isinstance(name, str) and name else point, kind if kind in KINDS else None


def _check_hooks(manager: pluggy.PluginManager, plugin: str) -> None:
    known = [name for name, _ in inspect.getmembers(hookspecs) if name.startswith("instyle_")]
    hint = f"the hooks are {', '.join(known)}"
    callers = manager.get_hookcallers(manager.get_plugin(plugin))
    if not callers:
        raise InputError("it implements no hook; is an @hookimpl missing?", hint=hint)
    for caller in callers:
        if caller.name not in known:
            what = f"it implements the hook '{caller.name}', which does not exist"
            raise InputError(what, hint=hint)


def _problem_of_record(record: object) -> str | None:
    """What is wrong with a record, or None."""
    from instyle_core.interfaces.kinds import PARAMS
    from instyle_core.weights.record import Weights

    if not isinstance(record, Plugin):
        return f"instyle_plugins returned {record!r}, which is no instyle_core.Plugin"
    if record.api != API:
        age = "newer" if isinstance(record.api, int) and record.api > API else "other"
        return (
            f"it was written for {age} plugin interfaces (api={record.api!r}) than this instyle "
            f"has (api={API}); {'upgrade instyle' if age == 'newer' else 'upgrade the plugin'}"
        )
    if record.kind not in KINDS:
        return f"its kind is {record.kind!r}; kinds are {', '.join(KINDS)}"
    if not isinstance(record.name, str) or not re.fullmatch(NAME, record.name):
        return f"its name is {record.name!r}; names are lower-case letters, digits and dashes"
    if not isinstance(record.factory, str) or record.factory.count(":") != 1:
        return f"its factory is {record.factory!r}, not of the form 'package.module:Class'"
    base = PARAMS[record.kind]
    if not (isinstance(record.params, type) and issubclass(record.params, base)):
        return f"its params are {record.params!r}, no subclass of instyle_core.{base.__name__}"
    if not (isinstance(record.summary, str) and isinstance(record.source, str)):
        return "its summary or source is not a text"
    weights = record.weights
    if not (isinstance(weights, tuple) and all(isinstance(w, Weights) for w in weights)):
        return f"its weights are {weights!r}, not a tuple of instyle_core.Weights"
    return None
