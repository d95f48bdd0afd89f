"""``instyle completion``, and the names that a shell completes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

if TYPE_CHECKING:
    from click import Context, Parameter

    Completer = Callable[[Context, Parameter, str], list[CompletionItem]]

#: Of each kind, the first device that torch finds.
_DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what lets SHELL complete commands, options and names with the tab key.

    For bash, in ~/.bashrc:  eval "$(instyle completion bash)"
    """
    made = get_completion_class(shell)
    assert made  # click has all three
    click.echo(made(context.find_root().command, {}, "instyle", "_INSTYLE_COMPLETE").source())


def _beginning(names: Iterable[str], begun: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in dict.fromkeys(names) if name.startswith(begun)]


def plugin_names(kind: str | None = None) -> Completer:
    """Completes the names of plugins, of one kind or of all."""

    def complete(_: Context, __: Parameter, begun: str) -> list[CompletionItem]:
        from instyle_core.plugin.registry import Registry

        registry = Registry.installed()
        found = registry.entries(kind, full=True)
        return _beginning(map(registry.name_of, found), begun)

    return complete


def weights_names(_: Context, __: Parameter, begun: str) -> list[CompletionItem]:
    """Completes the names of weights."""
    from instyle_core.plugin.registry import Registry

    entries = Registry.installed().entries()
    names = sorted(weights.name for entry in entries for weights in entry.plugin.weights)
    return _beginning(names, begun)


def devices(_: Context, __: Parameter, begun: str) -> list[CompletionItem]:
    """Completes the names of devices, whether or not this machine has them."""
    return _beginning(_DEVICES, begun)


def values(context: Context, parameter: Parameter, begun: str) -> list[CompletionItem]:
    """Completes the value of ``instyle config set KEY VALUE``."""
    from instyle_core.config.plan import PRESETS

    key = context.params.get("key")
    if key == "cache":
        return [CompletionItem(begun, type="dir")]
    return _beginning(PRESETS, begun) if key == "preset" else devices(context, parameter, begun)
