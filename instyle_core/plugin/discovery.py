"""Where plugins come from: entry points of installed packages, and modules registered by hand."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import Distribution, EntryPoints, distributions
from types import ModuleType

from instyle_core.errors import did_you_mean, first_line
from instyle_core.plugin.hookspecs import GROUP

#: Limits what is loaded: ``none``, ``name,name`` (only these) or ``-name,-name`` (all but these).
ENVIRONMENT_VARIABLE = "INSTYLE_PLUGINS"

#: Reads a distribution's; kept here because `skip_damaged_metadata` replaces it.
_entry_points: Callable[[Distribution], EntryPoints] = Distribution.entry_points.fget  # type: ignore


#: The version of a module that is not installed: its code may change at any time.
UNVERSIONED = "unversioned"


@dataclass(frozen=True)
class Source:
    """A module with plugins, and the distribution that brings it.

    Attributes:
        point: the name of the entry point.
        value: what the entry point names: a module.
        name: of the distribution.
        version: of the distribution.
        load: imports the module.
    """

    point: str
    value: str
    name: str
    version: str
    load: Callable[[], ModuleType]

    @classmethod
    def of_module(cls, module: ModuleType | str) -> Source:
        """A module, or the name of one, that no distribution brings."""
        if isinstance(module, str):
            return cls(module, module, module, UNVERSIONED, lambda: import_module(module))
        name = module.__name__
        return cls(name, name, name, UNVERSIONED, lambda: module)

    @property
    def key(self) -> str:
        """The distribution's name as names of distributions are compared."""
        return normalized(self.name)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


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


def normalized(name: str) -> str:
    """The form in which two names of one distribution are equal; see PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> tuple[list[Source], list[Failure]]:
    """The modules of all installed distributions, and the distributions that cannot be read.

    This is `importlib.metadata.entry_points`, distribution by distribution: that function fails
    as a whole when the metadata of any package is damaged.
    """
    sources: dict[str, list[Source]] = {}  # by the distribution's name
    failures: list[Failure] = []
    for distribution in distributions():
        try:
            if not _entry_points(distribution).select(group=GROUP):
                continue
            name = distribution.metadata["Name"]
            if not name:
                raise ValueError("it has no name")
            # The first of a name on sys.path hides the others, even if it has no plugins.
            first = next(iter(distributions(name=name)), distribution)
            described = first.metadata  # read anew each time
            sources[normalized(name)] = [
                Source(point.name, point.value, described["Name"], described["Version"], point.load)
                for point in _entry_points(first).select(group=GROUP)
            ]
        except Exception as error:  # whatever a damaged file leads to
            label = _label(distribution)
            reason = f"its metadata is damaged, so reinstall it: {first_line(error)}"
            failures.append(Failure(label.partition(" ")[0], None, label, reason))
    return [source for found in sources.values() for source in found], failures


def skip_damaged_metadata() -> None:
    """Let other libraries survive a package whose ``entry_points.txt`` is damaged.

    Of those that instyle uses, pydantic, torch, triton and networkx ask for the entry points of all
    packages when they are imported, and would fail as `importlib.metadata.entry_points` does.
    """

    def entry_points(distribution: Distribution) -> EntryPoints:
        try:
            return _entry_points(distribution)
        except Exception:
            return EntryPoints()

    Distribution.entry_points = property(entry_points)  # type: ignore[method-assign, assignment]


def _label(distribution: Distribution) -> str:
    """The name and version of a distribution; if they cannot be read, the name of its folder."""
    with suppress(Exception):
        if name := distribution.metadata["Name"]:
            return f"{name} {distribution.version}"
    return os.path.basename(str(getattr(distribution, "_path", distribution)))


def allowed(sources: Sequence[Source]) -> tuple[list[Source], list[Failure]]:
    """What ``INSTYLE_PLUGINS`` leaves of some modules, and what is wrong with its value.

    Its words are names of entry points or of distributions.
    """
    value = os.environ.get(ENVIRONMENT_VARIABLE)
    if value is None:
        return list(sources), []
    words = [word.strip() for word in value.split(",") if word.strip()] or ["none"]
    only = {normalized(word) for word in words if not word.startswith("-")}
    without = {normalized(word[1:]) for word in words if word.startswith("-")}
    names = {source: {normalized(source.point), source.key} for source in sources}
    kept = [s for s in sources if (names[s] & only if only else not names[s] & without)]

    reasons = []
    if only and without:
        reasons.append("it names what to load, so that names with a dash have no effect")
    known = {"none"}.union(*names.values())
    for word in (word.removeprefix("-") for word in words):
        if normalized(word) not in known:
            near = did_you_mean(word, [source.point for source in sources])
            reasons.append(f"no plugin module or package is called '{word}'; {near}".rstrip("; "))
    whose = "the environment"
    return kept, [Failure(ENVIRONMENT_VARIABLE, None, whose, reason) for reason in reasons]
