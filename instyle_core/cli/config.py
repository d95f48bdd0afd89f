"""``instyle config``: the values that hold for all runs, and where each comes from."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from instyle_core.cli.completion import values
from instyle_core.errors import InputError, InstyleError, did_you_mean
from instyle_core.settings import (
    KEYS,
    Setting,
    absolute_folder,
    setting,
    settings_file,
    with_setting,
)

if TYPE_CHECKING:
    import torch

    from instyle_core.config.document import Document


def user_setting(key: str) -> Setting | None:
    """What the user has set, checked.

    Raises:
        InputError: the user's file cannot be read or is wrong, or this value is.
    """
    found = setting(key)
    if found:
        _check(key, found.value, found.where)
    return found


def user_device() -> torch.device:
    """The device that the user has set, else the one that torch finds.

    Raises:
        InputError: this machine does not have it, or as `user_setting`.
    """
    from instyle_core.device import choose_device

    chosen = user_setting("device")
    try:
        return choose_device(chosen.value if chosen else "auto")
    except InputError as error:
        error.where = chosen.where if chosen else None
        raise


def take_settings(document: Document) -> dict[str, str]:
    """Give a spec what it leaves out and the user has set.

    Returns:
        What is taken from the user's settings, by their keys.

    Raises:
        InputError: the user's settings are wrong.
    """
    from instyle_core.weights.cache import CACHE_VARIABLE

    taken = {}
    device, cache = user_setting("device"), user_setting("cache")
    if device and isinstance(document.data, dict) and "device" not in document.data:
        document.assign("device", device.value, device.where)
        taken["device"] = device.value
    if cache and not os.environ.get(CACHE_VARIABLE):
        taken["cache"] = cache.value
    return taken


def _check(key: str, value: str, where: str) -> None:
    """Refuse a value that has no meaning."""
    from instyle_core.config.plan import PRESETS
    from instyle_core.config.spec import device_name

    if key == "device":
        try:
            device_name(value)
        except ValueError as error:
            raise InputError(f"'device' {error}", where=where) from error
    elif key == "preset" and value not in PRESETS:
        hint = did_you_mean(value, PRESETS) or f"there are: {', '.join(PRESETS)}"
        raise InputError(f"no preset is called '{value}'", where=where, hint=hint)
    elif key == "cache":
        absolute_folder(value, where)


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def config(context: click.Context, as_json: bool) -> None:
    """Show or change the values that hold for all runs, and say where each comes from.

    An option of a command comes first, then the spec, then an environment variable, then the
    user's file, then what is built in.
    """
    if context.invoked_subcommand:
        return
    path = settings_file()
    problems: list[InputError] = []
    shown = {key: _effective(key, problems) for key in KEYS}
    if as_json:
        import json

        listed = {key: {"value": value, "from": source} for key, (value, source) in shown.items()}
        document: dict[str, Any] = {"file": path and str(path), "settings": listed}
        told = [str(problem) for problem in problems]
        click.echo(json.dumps({**document, "problems": list(dict.fromkeys(told))}, indent=2))
        return
    from instyle_core.cli.layout import table, width_of, wrap
    from instyle_core.cli.render import show_error

    width = width_of(sys.stdout)
    there = "" if path and path.exists() else " (not there yet)"
    click.echo(wrap(f"file: {path}{there}" if path else "file: none, without a home folder", width))
    rows = [(key, value, source, KEYS[key]) for key, (value, source) in shown.items()]
    click.echo(table([("key", "value", "from", "what it is"), *rows], width), nl=False)
    for problem in {str(problem): problem for problem in problems}.values():
        show_error(problem)


def _effective(key: str, problems: list[InputError]) -> tuple[str, str]:
    """The value that holds where neither an option nor a spec has one, and where it comes from."""
    from platformdirs import user_cache_path

    from instyle_core.weights.cache import CACHE_VARIABLE

    if key == "cache" and (named := os.environ.get(CACHE_VARIABLE)):
        return named, f"environment: {CACHE_VARIABLE}"
    try:
        found = user_setting(key)
    except InputError as error:
        problems.append(error)
        found = None
    if found:
        return found.value, f"file: {found.where}"
    built_in = {"device": "auto", "preset": "default", "cache": str(user_cache_path("instyle"))}
    return built_in[key], "built in"


@config.command("set")
@click.argument("key", type=click.Choice(list(KEYS)))
@click.argument("value", shell_complete=values)
def set_(key: str, value: str) -> None:
    """Set KEY to VALUE in the user's file, for all runs from now on."""
    from instyle_core.files import write_atomically

    _check(key, value, f"config set {key}")
    path = settings_file()
    if path is None:
        hint = "set XDG_CONFIG_HOME, or HOME, to a folder of yours"
        raise InputError("there is no home folder to keep settings in", hint=hint)
    text = with_setting(path, key, value)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InstyleError(
            f"it cannot be made: {error.strerror}", where=str(path.parent)
        ) from error
    write_atomically(path, text.encode())
    click.echo(f"wrote {path}: {key} = {value}")
