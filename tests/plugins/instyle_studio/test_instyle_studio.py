"""The package: it adds a command, and no plugins."""

from __future__ import annotations

import click

import instyle_studio


def test_it_adds_the_command() -> None:
    (command,) = instyle_studio.instyle_commands()
    assert isinstance(command, click.Command)
    assert command.name == "studio"
    assert not hasattr(instyle_studio, "instyle_plugins")
