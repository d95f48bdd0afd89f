"""``instyle models``: the weights that the installed plugins can load."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from instyle_core.cli.completion import weights_names
from instyle_core.cli.layout import visible

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
    from instyle_core.weights.fetch import fetch, locate

    weights = _find(name)
    if locate(weights) is None and weights.url is not None:
        say(f"{name}: {weights.megabytes:g} MB from {weights.url}")
    with RunDisplay() as display:
        path = fetch(weights, on_progress=lambda *far: display(Download(name, *far)))
    click.echo(path)


@models.command()
@click.argument("name", required=False, shell_complete=weights_names)
def verify(name: str | None) -> None:
    """Compare the hash of the weights NAME, or of all that are there, with the published one.

    Without NAME, everything else in the cache is checked, too. What can be made again is removed if
    it is damaged.
    """
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
            click.echo(visible(f"{weights.name}: {error}"))
        else:
            click.echo(f"{weights.name}: ok")
    if name is None:
        wrong += _check_told() + _check_kept()
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


def _check_told() -> int:
    """Check the files whose hash the hub told; returns how many are wrong."""
    from instyle_core.errors import WeightsError
    from instyle_core.weights.hub import is_as_told, told_files

    wrong = 0
    try:
        paths = told_files()
    except WeightsError:  # there is no cache
        return 0
    for path in paths:
        if os.path.exists(path) and not is_as_told(path):
            wrong += 1
            click.echo(visible(f"{path}: damaged; it is downloaded again when it is used next"))
    return wrong


def _check_kept() -> int:
    """Check what was computed and kept, and remove what is damaged.

    Returns:
        How many damaged files could not be removed.
    """
    from instyle_core.errors import WeightsError
    from instyle_core.weights.cache import COMPUTED, CONVERTED, TARGETS, user_folder

    wrong = 0
    kinds = {
        CONVERTED: "converted weights",
        TARGETS: "sums of style pictures",
        COMPUTED: "what networks saw in photos",
    }
    for name, what in kinds.items():
        try:
            paths = sorted(user_folder(name).glob("*.safetensors"))
        except WeightsError:  # there is no cache
            continue
        if not paths:
            continue
        from instyle_core.weights.kept import is_whole  # imports torch

        good = 0
        for path in paths:
            if is_whole(path):
                good += 1
                continue
            try:
                path.unlink()
                click.echo(f"{path}: damaged; removed, and made again when it is needed")
            except OSError as error:
                wrong += 1
                click.echo(f"{path}: damaged, and cannot be removed: {error.strerror}")
        if good:
            click.echo(f"{what}: {good} ok")
    return wrong


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
