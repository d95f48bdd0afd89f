"""``instyle plugins``: what is installed, what is broken, and a start for one's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from instyle_core.cli.completion import plugin_names
from instyle_core.cli.layout import table, width_of, wrap
from instyle_core.interfaces.kinds import KINDS

if TYPE_CHECKING:
    from instyle_core.plugin.registry import Entry

_KINDS = click.Choice(list(KINDS))


@click.group()
def plugins() -> None:
    """List, show and write plugins."""


@plugins.command("list")
@click.option("--kind", type=_KINDS, help="Only these.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_(context: click.Context, kind: str | None, as_json: bool) -> None:
    """List the installed plugins, and those that cannot be used, with the reason."""
    from instyle_core.plugin.registry import Registry

    registry = Registry.installed()
    entries = registry.entries(kind)
    instyle = context.find_root().command
    own = instyle.commands if isinstance(instyle, click.Group) else {}
    _, bad_commands = registry.commands(taken=own)
    failures = list(dict.fromkeys([*registry.failures, *bad_commands]))
    failures = [f for f in failures if kind is None or f.kind in (kind, None)]
    if as_json:
        import json
        from dataclasses import asdict

        summaries = [_summary(entry) for entry in entries]
        document = {"plugins": summaries, "failures": [asdict(failure) for failure in failures]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    width = width_of(sys.stdout)
    listed = [(e.plugin.kind, e.plugin.name, e.distribution, e.plugin.summary) for e in entries]
    click.echo(table([("kind", "name", "from", "what it does"), *listed], width), nl=False)
    if failures:
        broken = [("cannot be used", "from", "reason")]
        for failure in failures:
            name = f"{failure.kind} {failure.name}" if failure.kind else failure.name
            broken.append((name, failure.distribution, failure.reason))
        click.echo("\n" + table(broken, width), nl=False)


@plugins.command()
@click.argument("name", shell_complete=plugin_names())
def show(name: str) -> None:
    """Show a plugin's parameters, weights and source; NAME may be DISTRIBUTION:NAME."""
    from instyle_core.config.schema import rows
    from instyle_core.plugin.registry import Registry

    registry = Registry.installed()
    found = registry.named(name)
    if not found:
        raise registry.unknown(name)
    width = width_of(sys.stdout)
    for entry in found:
        plugin = entry.plugin
        lines = [f"{plugin.kind} {plugin.name}  {entry.distribution}", plugin.summary]
        if plugin.source:
            lines.append(f"source: {plugin.source}")
        if plugin.weights:
            lines.append(f"weights: {', '.join(weights.name for weights in plugin.weights)}")
        for line in lines:
            click.echo(wrap(line, width))
        parameters = rows(plugin.params.model_json_schema())
        headings = ("parameter", "type", "default", "meaning")
        click.echo(table([headings, *parameters], width) if parameters else "no parameters\n")


def _summary(entry: Entry) -> dict[str, Any]:
    plugin, source = entry.plugin, entry.source
    return {
        "kind": plugin.kind,
        "name": plugin.name,
        "distribution": entry.distribution,
        "summary": plugin.summary,
        "source": plugin.source,
        "distribution_name": source.name,
        "distribution_version": source.version,
        "entry_point": {"name": source.point, "value": source.value},
    }


@plugins.command()
@click.argument("kind", type=_KINDS)
@click.argument("name")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The folder to write; by default instyle-NAME in the working directory.",
)
def new(kind: str, name: str, output: Path | None) -> None:
    """Write a whole plugin package of your own, with a test that passes."""
    from instyle_core.cli.new_plugin import write_package

    folder = write_package(kind, name, output)
    click.echo(f"wrote {folder}; next:\n  pip install -e '{folder}[dev]'\n  pytest {folder}")
