"""``instyle models``: the weights that the installed plugins can load."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from instyle_core.cli.completion import weights_names

if TYPE_CHECKING:
    from instyle_core.weights.record import Weights


@click.group()
def models() -> None:
    """See, download and check the weights of networks."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_(as_json: bool) -> None:
    """List all weights: who uses them, and whether they are there."""
    import json
    from dataclasses import asdict

    from instyle_core.weights.fetch import locate

    known = _known()
    if as_json:
        document = [
            {
                **asdict(weights),
                "used_by": users,
                "state": _state(weights),
                "path": str(path) if (path := locate(weights)) else None,
            }
            for weights, users in known.items()
        ]
        click.echo(json.dumps(document, indent=2))
        return

    from instyle_core.cli.layout import table, width_of

    rows = [("name", "state", "size", "license", "used by")]
    for weights, users in known.items():
        size = f"{max(1, round(weights.megabytes))} MB"
        rows.append((weights.name, _state(weights), size, weights.license, ", ".join(users)))
    click.echo(table(rows, width_of(sys.stdout)), nl=False)


@models.command()
@click.argument("name", shell_complete=weights_names)
def pull(name: str) -> None:
    """Download the weights NAME, unless they are there; check them; print where they are."""
    from instyle_core.cli.render import RunDisplay, say
    from instyle_core.events import Download
    from instyle_core.weights.fetch import fetch, locate, verify

    weights = _find(name)
    if locate(weights) is not None:
        verify(weights)
        click.echo(fetch(weights))  # downloads the files beside it that are absent
        return
    if weights.url is not None:
        say(f"{name}: {weights.megabytes:g} MB from {weights.url}")
    with RunDisplay() as display:
        path = fetch(weights, on_progress=lambda *far: display(Download(name, *far)))
    click.echo(path)


@models.command()
@click.argument("name", required=False, shell_complete=weights_names)
def verify(name: str | None) -> None:
    """Compare the hash of the weights NAME, or of all that are there, with the published one."""
    from instyle_core.errors import WeightsError
    from instyle_core.weights.fetch import locate, verify

    wrong = 0
    for weights in [_find(name)] if name else _known():
        if name is None and locate(weights) is None:
            click.echo(f"{weights.name}: {_state(weights)}")
            continue
        try:
            verify(weights)
        except WeightsError as error:
            wrong += 1
            click.echo(f"{weights.name}: {error}")
        else:
            click.echo(f"{weights.name}: ok")
    if wrong:
        raise WeightsError(f"{wrong} file{'s are' if wrong > 1 else ' is'} not as it should be")


@models.command()
@click.argument("name", shell_complete=weights_names)
def path(name: str) -> None:
    """Print where the weights NAME are."""
    from instyle_core.weights.fetch import absent, locate

    weights = _find(name)
    found = locate(weights)
    if found is None:
        raise absent(weights)
    click.echo(found)


def _known() -> dict[Weights, list[str]]:
    """The weights of all installed plugins, by name, and the plugins that can load them."""
    from instyle_core.plugin.registry import Registry

    users: dict[Weights, list[str]] = {}
    for entry in Registry.installed().entries():
        for weights in entry.plugin.weights:
            users.setdefault(weights, []).append(f"{entry.plugin.kind} {entry.plugin.name}")
    return dict(sorted(users.items(), key=lambda item: item[0].name))


def _find(name: str) -> Weights:
    from instyle_core.errors import InputError, did_you_mean

    known = {weights.name: weights for weights in _known()}
    if name in known:
        return known[name]
    there = f"there are: {', '.join(known)}" if known else "no installed plugin has weights"
    raise InputError(f"no weights are called '{name}'", hint=did_you_mean(name, known) or there)


def _state(weights: Weights) -> str:
    from instyle_core.weights.fetch import locate

    there = locate(weights) is not None
    if weights.package is not None:
        return "shipped" if there else "missing package"
    return "cached" if there else "not downloaded"
