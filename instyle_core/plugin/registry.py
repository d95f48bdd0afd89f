"""Which plugins there are: loading, isolation of broken ones, name conflicts, look-up."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from instyle_core.errors import InputError, InstyleError, described, did_you_mean
from instyle_core.interfaces.kinds import KINDS
from instyle_core.plugin import discovery, hookspecs
from instyle_core.plugin.checks import check_hooks, problem_of_params, problem_of_record
from instyle_core.plugin.discovery import ENVIRONMENT_VARIABLE, Failure, Source, normalized
from instyle_core.plugin.hookspecs import GROUP, Plugin

if TYPE_CHECKING:
    import click

#: The modules that `register` was given, by name.
_registered: dict[str, Source] = {}


@dataclass(frozen=True)
class Entry:
    """A plugin that can be used, and where it comes from."""

    plugin: Plugin
    source: Source

    @property
    def distribution(self) -> str:
        """The distribution that brought it, with its version."""
        return str(self.source)

    @property
    def full_name(self) -> str:
        """``DISTRIBUTION:NAME``, which means this plugin whatever others are called."""
        return f"{self.source.key}:{self.plugin.name}"


class Registry:
    """The plugins of some modules, which are loaded when they are first asked for.

    Nothing that a plugin does wrong raises here: it is kept as a `Failure`.

    A plugin's name alone means the one that ships with instyle if there is one, else the only one
    of that kind and name. Its full name, ``DISTRIBUTION:NAME``, always means it.

    Args:
        sources: the modules.
        failures: what went wrong when they were looked for.
    """

    def __init__(self, sources: Iterable[Source], failures: Iterable[Failure] = ()) -> None:
        self._sources = tuple(sources)
        self._load_failures = list(failures)
        self._loaded: dict[str, Source] = {}  # by pluggy's name of a module

    @classmethod
    def installed(cls) -> Registry:
        """The plugins of installed distributions, as far as ``INSTYLE_PLUGINS`` allows.

        With them come the modules that `register` was given.
        """
        found, unreadable = discovery.installed()
        found, mistakes = discovery.allowed(found)
        found = [source for source in found if source.value not in _registered]
        found.sort(key=lambda source: (source.key, source.point))
        return cls([*found, *_registered.values()], [*unreadable, *mistakes])

    # --- loading ----------------------------------------------------------------------------------

    @cached_property
    def _manager(self) -> pluggy.PluginManager:
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        for source in self._sources:
            name = f"{source.key}:{source.point}"
            with _kept(self._load_failures, source):
                manager.register(source.load(), name=name)
                check_hooks(manager, name)
                self._loaded[name] = source
        return manager

    def _results(self, hook: str, failures: list[Failure]) -> Iterator[tuple[Source, Any]]:
        """What the modules returned from a hook, item by item."""
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            source = self._loaded.get(implementation.plugin_name)
            if source is None:  # it is broken
                continue
            items: list[Any] = []
            with _kept(failures, source, f"{hook}: "):
                items = list(implementation.function())
            for item in items:
                yield source, item

    @cached_property
    def _plugins(self) -> tuple[dict[tuple[str, str], Entry], list[Failure]]:
        """The plugins by their kind and each name that means them; and what is wrong."""
        failures: list[Failure] = []
        claims: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for source, record in self._results("instyle_plugins", failures):
            with _kept(failures, source):
                problem = problem_of_record(record)
                # instyle's own are tested, and describing them would slow `plugins list` down.
                if problem is None and source.key != GROUP:
                    problem = problem_of_params(record.params)
                if problem:
                    failures.append(_failure(record, source, problem))
                    continue
                entry = Entry(record, source)
                claims[record.kind, record.name].append(entry)
                claims[record.kind, entry.full_name].append(entry)
        found: dict[tuple[str, str], Entry] = {}
        for key, claim in claims.items():
            owner = _owner([entry.source for entry in claim])
            found.update((key, entry) for entry in claim if entry.source is owner)
        for (kind, name), claim in claims.items():
            for entry in claim:
                if name == entry.plugin.name and found.get((kind, name)) is not entry:
                    reason = _taken(f"the name '{name}'", [entry.source for entry in claim])
                    if (kind, entry.full_name) in found:
                        reason += f"; `use: {entry.full_name}` means this one"
                    failures.append(Failure(name, kind, entry.distribution, reason))
        return found, failures

    # --- what there is ----------------------------------------------------------------------------

    def entries(self, kind: str | None = None, *, full: bool = False) -> list[Entry]:
        """The plugins that can be used, by kind and name.

        Args:
            kind: only these.
            full: also those that only their full name means.
        """
        found = [
            entry
            for (_, name), entry in self._plugins[0].items()
            if kind in (None, entry.plugin.kind) and name == _name(entry, full)
        ]
        order = list(KINDS)
        return sorted(found, key=lambda e: (order.index(e.plugin.kind), e.plugin.name, e.full_name))

    @property
    def failures(self) -> list[Failure]:
        """The plugins that cannot be used, with the reasons."""
        _, failures = self._plugins
        return [*self._load_failures, *failures]

    def named(self, name: str) -> list[Entry]:
        """The plugins, of any kind, that a name, alone or full, means."""
        package, colon, own = name.rpartition(":")
        key = normalized(package) + colon + own
        return [entry for (_, name), entry in self._plugins[0].items() if name == key]

    def name_of(self, entry: Entry) -> str:
        """What a spec has to call a plugin: its name alone if that means it, else its full name."""
        return _name(entry, full=entry not in self.named(entry.plugin.name))

    def look_up(self, kind: str, name: str) -> Entry:
        """The plugin of a kind that a name, alone or full, means.

        Raises:
            InputError: there is none; it says what is wrong with a broken one, or which names are
                near.
        """
        for entry in self.named(name):
            if entry.plugin.kind == kind:
                return entry
        raise self.unknown(name, kind)

    def find(self, kind: str, name: str) -> Plugin:
        """The record of the plugin that `look_up` gives."""
        return self.look_up(kind, name).plugin

    def unknown(self, name: str, kind: str | None = None) -> InputError:
        """What to say of a name that means no plugin, or none of a kind."""
        package, colon, own = name.rpartition(":")
        for failure in self.failures:
            whose = normalized(failure.distribution.partition(" ")[0])
            fits = kind is None or failure.kind in (kind, None)
            if failure.name == own and fits and normalized(package) in ("", whose):
                what = f"the {failure.kind or kind or 'plugin'} '{own}' of {failure.distribution}"
                return InputError(f"{what} cannot be used: {failure.reason}")
        there = self.entries(kind, full=bool(colon))
        names = [_name(entry, full=bool(colon)) for entry in there]
        if others := [entry.plugin.kind for entry in self.named(name)]:
            hint = f"'{name}' is a plugin of another kind: {', '.join(others)}"
        elif names:
            hint = did_you_mean(name, names) or f"installed: {', '.join(names)}"
        else:
            hint = f"no {kind or 'plugin'} is installed"
        broken = []
        for failure in self.failures:
            if failure.name == ENVIRONMENT_VARIABLE:
                hint += f"; note that {failure.name} is wrong: {failure.reason}"
            elif failure.kind is None:
                broken.append(f"{failure.name} of {failure.distribution}")
        if broken:
            hint += f"; note that {', '.join(broken)} failed to load: see `instyle plugins list`"
        return InputError(f"no {kind or 'plugin'} is called '{name}'", hint=hint)

    def commands(self, taken: Iterable[str] = ()) -> tuple[dict[str, click.Command], list[Failure]]:
        """The commands that plugins add, by name, and those that cannot be added.

        Args:
            taken: the names of the commands that are there already.
        """
        import click

        taken = set(taken)
        failures: list[Failure] = []
        claims: dict[str, list[tuple[Source, click.Command]]] = defaultdict(list)
        for source, command in self._results("instyle_commands", failures):
            with _kept(failures, source):
                named = isinstance(command, click.Command) and command.name
                if not (named and isinstance(named, str)):
                    what = f"instyle_commands returned {command!r}, which is no named click command"
                    raise InputError(what)
                command.get_short_help_str()  # what `instyle --help` shows of it
                claims[command.name].append((source, command))
        commands: dict[str, click.Command] = {}
        for name, claim in claims.items():
            sources = [source for source, _ in claim]
            owner = None if name in taken else _owner(sources)
            for source, command in claim:
                if source is owner:
                    commands[name] = command
                    continue
                reason = f"the command '{name}' is instyle's own"
                if name not in taken:
                    reason = _taken(f"the command '{name}'", sources)
                failures.append(Failure(source.point, None, str(source), reason))
        return commands, [*self._load_failures, *failures]


def register(module: ModuleType) -> None:
    """Use the plugins of a module that is not installed, in this process; for notebooks.

    A module of the same name that was registered or installed before is replaced.

    Args:
        module: has the hooks of a plugin module, such as ``instyle_plugins``. In a notebook whose
            own cells have them, it is ``sys.modules["__main__"]``.

    Raises:
        InputError: the module, or one of its plugins, cannot be used.
    """
    source = Source.of_module(module)
    for failure in Registry([source]).failures:
        raise InputError(f"{failure.name} cannot be used: {failure.reason}", where=source.name)
    _registered[source.name] = source


def _failure(record: object, source: Source, reason: str) -> Failure:
    """What is wrong with a record; it has the record's name and kind if these are fine."""
    name, kind = getattr(record, "name", None), getattr(record, "kind", None)
    label = name if isinstance(name, str) and name else source.point
    return Failure(label, kind if kind in list(KINDS) else None, str(source), reason)


@contextmanager
def _kept(failures: list[Failure], source: Source, what: str = "") -> Iterator[None]:
    """Around a plugin's code: whatever it raises becomes a failure, and what it prints no output.

    Standard output is for what a command prints, such as one document with ``--json``.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        failures.append(Failure(source.point, None, str(source), what + _reason(error)))


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) if isinstance(error, InstyleError) else described(error)


def _name(entry: Entry, full: bool) -> str:
    return entry.full_name if full else entry.plugin.name


def _owner(sources: Sequence[Source]) -> Source | None:
    """Who has a name that all of these claim: instyle itself, else the only one, else nobody."""
    own = [source for source in sources if source.key == GROUP] or sources
    return own[0] if len(own) == 1 else None


def _taken(what: str, sources: Sequence[Source]) -> str:
    """Why those that are not the owner of a name do not get it."""
    owner, everyone = _owner(sources), " and ".join(map(str, sources))
    return f"{what} is {f'that of {owner}' if owner else f'taken twice, by {everyone}'}"
