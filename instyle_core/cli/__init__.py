"""The command line: one file per command; heavy libraries are imported inside of commands."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import nullcontext, redirect_stderr
from functools import cached_property
from typing import NoReturn, TextIO

import click

from instyle_core.cli.completion import completion
from instyle_core.cli.config import config
from instyle_core.cli.demo import demo
from instyle_core.cli.layout import visible
from instyle_core.cli.models import models
from instyle_core.cli.pipeline import pipeline
from instyle_core.cli.plugins import plugins
from instyle_core.cli.segment import segment
from instyle_core.cli.streams import surviving
from instyle_core.cli.style import style
from instyle_core.errors import CacheWarning, InstyleError, described
from instyle_core.plugin import discovery


class _WithPlugins(click.Group):
    """A command group that also has the commands of plugins."""

    @cached_property
    def _added(self) -> dict[str, click.Command]:
        from instyle_core.plugin.registry import Registry

        commands, _ = Registry.installed().commands(taken=self.commands)
        return commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*self.commands, *self._added])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return self.commands.get(name) or self._added.get(name)


@click.group(cls=_WithPlugins, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="instyle")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def instyle(debug: bool) -> None:
    """Repaint one object of a photo in the style of a painting."""
    if discovery.ENVIRONMENT_VARIABLE in os.environ:
        _, mistakes = discovery.allowed(discovery.installed()[0])
        for mistake in mistakes:
            from instyle_core.cli.render import show_note

            show_note(f"{mistake.name}: {mistake.reason}")


for _command in (completion, config, demo, pipeline, plugins, segment, style, models):
    instyle.add_command(_command)


_show_warning_of_python = warnings.showwarning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if issubclass(category, CacheWarning):
        click.echo(f"note: {visible(str(message))}", err=True)
    else:
        _show_warning_of_python(message, category, filename, lineno, file, line)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command, and exit with its status.

    0 done; 2 wrong usage, spec or picture; 3 weights missing; 130 interrupted; 1 anything else.
    """
    # Threads that wait for one another sleep instead of spinning. With another program at work on
    # the same processors, spinning makes a step several times slower; alone, sleeping costs a few
    # per cent. OpenMP reads this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    warnings.showwarning = _show_warning
    discovery.skip_damaged_metadata()
    # While a shell completes a line, what a plugin prints would end up in that line.
    completing = "_INSTYLE_COMPLETE" in os.environ
    with redirect_stderr(None) if completing else nullcontext(), surviving() as output:
        status = _status_of(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
        if output.failure:
            status = status or 1
            if not isinstance(output.failure, BrokenPipeError):  # then its reader knows
                reason = getattr(output.failure, "strerror", None) or output.failure
                _show(InstyleError(f"standard output could not be written: {reason}"))
    sys.exit(status)


def _status_of(given: list[str]) -> int:
    """Run a command, show what is wrong, and give the exit status."""
    debug = "--debug" in given  # accepted anywhere
    try:
        status = instyle.main(
            [argument for argument in given if argument != "--debug"],
            prog_name="instyle",
            standalone_mode=False,
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; nothing was written", err=True)
        return 130
    except InstyleError as error:
        if debug:
            raise
        _show(error)
        return error.exit_status
    except SystemExit:
        raise  # the shell's completion ends in this way, and so may the command of a plugin
    except BaseException as error:  # a library written in Rust raises what is no Exception
        if debug:
            raise
        click.echo(f"error: {visible(described(error))}", err=True)
        click.echo("  this should not happen; `--debug` shows where it did", err=True)
        return 1
    return status if isinstance(status, int) else 0


def _show(error: InstyleError) -> None:
    from instyle_core.cli.render import show_error

    show_error(error)
