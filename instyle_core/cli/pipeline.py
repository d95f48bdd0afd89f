"""``instyle pipeline``: run, write and check specs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from instyle_core.cli.completion import devices
from instyle_core.cli.layout import visible

if TYPE_CHECKING:
    from instyle_core.cli.piped import Piped
    from instyle_core.config.document import Document
    from instyle_core.config.plan import Plan
    from instyle_core.pipeline import Result
    from instyle_core.plugin.registry import Registry


def _number(context: click.Context, option: click.Parameter, value: float) -> float:
    """Refuse `nan`, which is in any range."""
    if value != value:
        raise click.BadParameter("it is not a number", context, option)
    return value


_spec = click.argument("spec", type=click.Path(path_type=Path))
_set = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value of the spec, such as objects.0.style=x.jpg; may be repeated.",
)


@click.group()
def pipeline() -> None:
    """Run, write and check pipeline specs."""


@pipeline.command()
@_spec
@_set
@click.option("--output", type=click.Path(), help="The picture to write; - for standard output.")
@click.option(
    "--device",
    shell_complete=devices,
    help="Where to compute: auto, cpu, cuda, cuda:N, mps, xpu.",
)
@click.option("--seed", type=int, help="Seed of all that is random.")
@click.option("--preview", is_flag=True, help="Small and quick, to judge the look by.")
@click.option("--resume", is_flag=True, help="Go on with the interrupted run of this spec.")
@click.option(
    "--checkpoint",
    type=click.FloatRange(min=0),
    callback=_number,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to save what --resume needs after a power cut or the like.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def run(
    spec: Path,
    assignments: tuple[str, ...],
    output: str | None,
    device: str | None,
    seed: int | None,
    preview: bool,
    resume: bool,
    checkpoint: float,
    as_json: bool,
    quiet: bool,
) -> None:
    """Carry out SPEC, or repeat the run of a run.json.

    With `--set content=-` the photo comes from standard input; with `--output -` the picture goes
    to standard output, as PNG.

    The first Ctrl-C lets the current step finish, then saves the best picture so far and what
    --resume needs to go on to the same result. A second one does not wait for the step. A run that
    was killed goes on from its last checkpoint with --resume.
    """
    from instyle_core.cli.piped import Piped
    from instyle_core.config.preview import preview as small
    from instyle_core.errors import InputError

    options = {"output": output, "device": device, "seed": seed}

    def change(document: Document) -> None:
        for assignment in assignments:
            document.set(assignment)
        if preview:
            small(document)
        for name, value in options.items():
            if value is not None:
                document.assign(name, value, f"--{name}")
        piped.replace(document)

    with Piped() as piped:
        plan = plan_of(spec, change)
        if piped:
            if resume:
                what = "a run with standard input or output leaves nothing to go on from"
                hint = "name files for the photo and the picture"
                raise InputError(what, where="--resume", hint=hint)
            checkpoint = math.inf
            piped.begin(plan.spec.max_megapixels, as_json=as_json)
        carry_out(
            plan, resume=resume, checkpoint=checkpoint, as_json=as_json, quiet=quiet, piped=piped
        )


def plan_of(
    spec: Path,
    change: Callable[[Document], None] | None = None,
    registry: Registry | None = None,
) -> Plan:
    """The plan of a spec, with what it leaves out taken from the user's settings.

    Arguments as for `instyle_core.load_plan`.

    Raises:
        SpecError: with everything that is wrong.
        InputError: the file cannot be read, the run would replace it, or the user's settings are
            wrong.
    """
    from dataclasses import replace

    from instyle_core.cli.config import take_settings
    from instyle_core.config.plan import load_plan
    from instyle_core.errors import InputError

    taken: dict[str, str] = {}

    def complete(document: Document) -> None:
        if change:
            change(document)
        taken.update(take_settings(document))

    plan = replace(load_plan(spec, complete, registry), settings=taken)
    path = spec.resolve()
    folder = plan.folder.resolve()
    if path.is_relative_to(folder) and path != folder / "run.json":
        what = f"the run would replace the folder {plan.folder}, which this spec is in"
        raise InputError(what, where=str(spec), hint="move the spec, or choose another output")
    return plan


def carry_out(
    plan: Plan,
    *,
    resume: bool = False,
    checkpoint: float = 60.0,
    as_json: bool = False,
    quiet: bool = False,
    piped: Piped | None = None,
) -> Result:
    """Run a plan, show its progress, and print where the picture is, or hand it on."""
    import shlex
    from contextlib import nullcontext

    from instyle_core.cli.config import user_device
    from instyle_core.cli.render import RunDisplay
    from instyle_core.errors import DivergedError, InstyleError, InterruptedRun, RescuedRun
    from instyle_core.events import ignore
    from instyle_core.pipeline import run as run_plan

    if "device" in plan.settings:
        user_device()  # its error tells the file, not the spec
    display: Any = nullcontext(ignore) if quiet else RunDisplay()
    with display as observer:
        result = run_plan(plan, observer, resume=resume, checkpoint=checkpoint)
    place = str(result.output)
    if piped and piped.picture:
        place = "standard output"
        try:
            piped.deliver(result.output)
        except InstyleError as error:
            raise RescuedRun(error, Path(place), result.output) from error
    elif as_json:
        import json

        record = json.loads((result.folder / "run.json").read_text(encoding="utf-8"))
        paths = {"output": str(result.output), "folder": str(result.folder)}
        click.echo(json.dumps({**paths, **record}, indent=2))
    elif not quiet:
        click.echo(place)
    saved = f"the best so far is in {place}"
    if result.status == "interrupted":
        # Not the spec: its values may have been changed by options.
        record = shlex.quote(str(result.folder / "run.json"))
        on = f"go on with `instyle pipeline run {record} --resume`"
        if not result.resumable:
            on = "it stopped within a step, so that it cannot be resumed"
        elif piped:
            on = "a run with standard input or output cannot be resumed"
        raise InterruptedRun("interrupted", hint=f"{saved}; {on}")
    if result.status == "diverged":
        raise DivergedError(f"stopped early: {result.reason}", hint=saved)
    return result


@pipeline.command()
@click.option(
    "--preset",
    type=click.Choice(["default", "draft", "quality", "gatys", "paper"]),
    help="What to start from.  [default: as the user has set, else 'default']",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("spec.yaml"),
    show_default=True,
    help="The file to write; - for standard output.",
)
def init(preset: str | None, output: Path) -> None:
    """Write a spec to start from, and beside it a schema, with which editors help to fill it in."""
    from instyle_core.cli.config import user_setting
    from instyle_core.config.plan import preset_text
    from instyle_core.errors import InputError
    from instyle_core.files import write_atomically

    chosen = None if preset else user_setting("preset")
    text = preset_text(preset or (chosen.value if chosen else "default"))
    if str(output) == "-":
        click.echo(text, nl=False)
        return
    if output.exists():
        hint = "choose another name with -o, or remove it"
        raise InputError("this file is already there", where=str(output), hint=hint)
    schema = output.with_name(_SCHEMA)
    _check_schema(schema)
    write_atomically(output, f"# yaml-language-server: $schema={_SCHEMA}\n{text}".encode())
    write_atomically(schema, _schema().encode())
    click.echo(f"wrote {output}; set its pictures, then: instyle pipeline run {output}")


@pipeline.command()
@_spec
@_set
def validate(spec: Path, assignments: tuple[str, ...]) -> None:
    """Check SPEC and report every error at once.

    Files are looked into, plugins asked what they need, and the device is looked for: what is left
    to a run is what only the pixels tell, and what networks make of them.
    """
    from instyle_core.cli.piped import Piped
    from instyle_core.cli.render import show_note
    from instyle_core.validation import check

    def change(document: Document) -> None:
        for assignment in assignments:
            document.set(assignment)
        piped.replace(document)

    with Piped() as piped:
        plan = plan_of(spec, change)
        piped.read(plan.spec.max_megapixels)
        check(plan)
    for note in plan.notes:
        show_note(note)
    count = len(plan.objects)
    what = f"{count} object{'s' if count != 1 else ''}" if count else "the whole picture"
    click.echo(visible(f"{spec}: fine ({what} of {plan.spec.content.name})"))


@pipeline.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it to this file.")
def schema(output: Path | None) -> None:
    """Print the JSON Schema of specs, with the parameters of every installed plugin.

    After plugins have been installed, `-o .instyle-schema.json` renews the file that
    `instyle pipeline init` has written.
    """
    from instyle_core.files import write_atomically

    if output is None:
        click.echo(_schema(), nl=False)
        return
    _check_schema(output)
    write_atomically(output, _schema().encode())
    click.echo(f"wrote {output}")


#: The file that the first line of a new spec names, in the spec's folder.
_SCHEMA = ".instyle-schema.json"


def _schema() -> str:
    import json

    from instyle_core.config.schema import spec_schema
    from instyle_core.plugin.registry import Registry

    return json.dumps(spec_schema(Registry.installed()), indent=2, ensure_ascii=False) + "\n"


def _check_schema(path: Path) -> None:
    """Refuse to write a schema in place of anything but an earlier schema."""
    from instyle_core.config.schema import TITLE
    from instyle_core.errors import InputError

    if path.is_file() and f'"title": "{TITLE}"' not in path.read_text("utf-8", errors="replace"):
        hint = "choose another place, or move it away"
        raise InputError("this is already there, and is no schema", where=str(path), hint=hint)
