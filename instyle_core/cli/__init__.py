"""The command line: one file per command; heavy libraries are imported inside of commands."""

from __future__ import annotations

import io
import os
import sys
from functools import cached_property
from typing import NoReturn

import click

from instyle_core.cli.demo import demo
from instyle_core.cli.models import models
from instyle_core.cli.pipeline import pipeline
from instyle_core.cli.plugins import plugins
from instyle_core.cli.segment import segment
from instyle_core.cli.style import style
from instyle_core.errors import InstyleError
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
            click.echo(f"note: {mistake.name}: {mistake.reason}", err=True)


for _command in (demo, pipeline, plugins, segment, style, models):
    instyle.add_command(_command)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command, and exit with its status.

    0 done; 2 wrong usage, spec or picture; 3 weights missing; 130 interrupted; 1 anything else.
    """
    # Threads that wait for one another sleep instead of spinning. With another program at work on
    # the same processors, spinning makes a step several times slower; alone, sleeping costs a few
    # per cent. OpenMP reads this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    discovery.skip_damaged_metadata()
    # A file's name may have letters that the terminal's encoding lacks.
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given  # accepted anywhere
    try:
        status = instyle.main(
            [argument for argument in given if argument != "--debug"],
            prog_name="instyle",
            standalone_mode=False,
        )
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; nothing was written", err=True)
        status = 130
    except InstyleError as error:
        if debug:
            raise
        from instyle_core.cli.render import show_error

        show_error(error)
        status = error.exit_status
    except BrokenPipeError:
        # The program that reads our output has ended; the rest of it cannot be written.
        sys.stderr.close()
        status = 1
    except SystemExit:
        raise  # the shell's completion ends in this way, and so may the command of a plugin
    except BaseException as error:  # a library written in Rust raises what is no Exception
        if debug:
            raise
        click.echo(f"error: {type(error).__name__}: {error}", err=True)
        click.echo("  this should not happen; `--debug` shows where it did", err=True)
        status = 1
    sys.exit(status if isinstance(status, int) else 0)
