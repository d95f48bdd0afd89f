"""The hooks of a plugin, and the record by which it announces itself.

A plugin is a Python module that an entry point of the group ``instyle`` names::

    # pyproject.toml
    [project.entry-points.instyle]
    instyle_sepia = "instyle_sepia"

    # instyle_sepia/__init__.py
    from instyle_core import Plugin, hookimpl

    @hookimpl
    def instyle_plugins():
        from instyle_sepia.params import SepiaParams

        return [
            Plugin(
                kind="loss",
                name="sepia",
                params=SepiaParams,
                factory="instyle_sepia.loss:SepiaLoss",
                summary="Pulls the object's colors toward sepia.",
            )
        ]

That module and the one of the parameters must import nothing heavy (torch, cv2, ...): they are read
by ``instyle plugins list`` and ``instyle pipeline validate``. The factory is imported when the
plugin is used. Importing the parameters inside the hook, as above, keeps ``instyle --help`` free of
pydantic.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pluggy

from instyle_core.errors import InstyleError, described

if TYPE_CHECKING:
    import click

    from instyle_core.interfaces.params import Params
    from instyle_core.weights.record import Weights


#: The entry point group, and the name that pluggy knows the project by.
GROUP = "instyle"

#: The version of the interfaces that this core speaks.
API = 1

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@dataclass(frozen=True)
class Plugin:
    """One thing that a spec can name with ``use:``.

    Attributes:
        kind: what it is: ``segmenter``, ``refiner``, ``extractor``, ``loss``, ``ranker`` or
            ``merger``.
        name: what a spec calls it; lower-case letters, digits and dashes.
        params: its parameters, a subclass of `instyle_core.Params` (of `LossParams` for a loss, of
            `RankerParams` for a ranker, of `ExtractorParams` for an extractor).
        factory: ``"package.module:Class"``; called with one argument, the parameters.
        summary: one line for ``instyle plugins list``.
        weights: the weights that it can load, for ``instyle models``.
        source: the paper or method that it follows, for the docs.
        api: the version of the interfaces that it was written for.
    """

    kind: str
    name: str
    params: type[Params]
    factory: str
    summary: str
    weights: tuple[Weights, ...] = ()
    source: str = ""
    api: int = 1  # and not API: a record that does not say was written for the first

    def load(self) -> Callable[[Params], Any]:
        """Import the factory; what its module prints goes to standard error.

        Raises:
            InstyleError: it is not there, or its module cannot be imported.
        """
        module, _, attribute = self.factory.partition(":")
        try:
            with redirect_stdout(sys.stderr):
                factory: Callable[[Params], Any] = getattr(import_module(module), attribute)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin's module may raise anything
            what = f"the {self.kind} '{self.name}' cannot be loaded from {self.factory}"
            raise InstyleError(
                f"{what}: {described(error)}",
                hint="reinstall or upgrade its package; `instyle plugins list` names it",
            ) from error
        return factory


@hookspec
def instyle_plugins() -> list[Plugin]:  # type: ignore[empty-body]
    """Return the records of the plugins that the module brings, of any kind."""


@hookspec
def instyle_commands() -> list[click.Command]:  # type: ignore[empty-body]
    """Return commands to add to ``instyle``.

    Example::

        @hookimpl
        def instyle_commands():
            from instyle_fcn8s.commands import fcn8s  # imports click, nothing heavy

            return [fcn8s]
    """
