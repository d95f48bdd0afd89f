"""``instyle pipeline``: run, write and check specs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from instyle_core.config.document import Document
    from instyle_core.config.plan import Plan
    from instyle_core.pipeline import Result

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
@click.option("--output", type=click.Path(), help="The picture to write.")
@click.option("--device", help="Where to compute: auto, cpu, cuda, cuda:N, mps, xpu.")
@click.option("--seed", type=int, help="Seed of all that is random.")
@click.option("--preview", is_flag=True, help="Small and quick, to judge the look by.")
@click.option("--resume", is_flag=True, help="Go on with the interrupted run of this spec.")
@click.option(
    "--checkpoint",
    type=click.FloatRange(min=0),
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

    The first Ctrl-C lets the current step finish, then saves the best picture so far and what
    --resume needs to go on to the same result. A second one does not wait for the step. A run that
    was killed goes on from its last checkpoint with --resume.
    """
    from instyle_core.config.plan import load_plan

    options = {"output": output, "device": device, "seed": seed}

    def change(document: Document) -> None:
        for assignment in assignments:
            document.set(assignment)
        if preview:
            _preview(document)
        for name, value in options.items():
            if value is not None:
                document.assign(name, value, f"--{name}")

    plan = load_plan(spec, change)
    carry_out(plan, resume=resume, checkpoint=checkpoint, as_json=as_json, quiet=quiet)


def carry_out(
    plan: Plan,
    *,
    resume: bool = False,
    checkpoint: float = 60.0,
    as_json: bool = False,
    quiet: bool = False,
) -> Result:
    """Run a plan, show its progress, and print where the picture is."""
    import shlex
    from contextlib import nullcontext

    from instyle_core.cli.render import RunDisplay
    from instyle_core.errors import DivergedError, InterruptedRun
    from instyle_core.events import ignore
    from instyle_core.pipeline import run as run_plan

    display: Any = nullcontext(ignore) if quiet else RunDisplay()
    with display as observer:
        result = run_plan(plan, observer, resume=resume, checkpoint=checkpoint)
    if as_json:
        import json

        record = json.loads((result.folder / "run.json").read_text(encoding="utf-8"))
        paths = {"output": str(result.output), "folder": str(result.folder)}
        click.echo(json.dumps({**paths, **record}, indent=2))
    elif not quiet:
        click.echo(result.output)
    saved = f"the best so far is in {result.output}"
    if result.status == "interrupted":
        # Not the spec: its values may have been changed by options.
        record = shlex.quote(str(result.folder / "run.json"))
        on = f"go on with: instyle pipeline run {record} --resume"
        if not result.resumable:
            on = "it stopped within a step, so that it cannot be resumed"
        raise InterruptedRun("interrupted", hint=f"{saved}; {on}")
    if result.status == "diverged":
        raise DivergedError(f"stopped early: {result.reason}", hint=saved)
    return result


#: The most that a preview has: the long sides of crop and photo, in pixels, and steps.
_PREVIEW = {"size": 224, "shrink": 640}
_PREVIEW_STEPS = 60


def _preview(document: Document) -> None:
    """Fewer pixels and steps, and another name for the picture."""
    from instyle_core.interfaces.input_files import absolute

    if not isinstance(document.data, dict):
        return
    for key, most in _PREVIEW.items():
        value = document.data.get(key, most)
        if isinstance(value, int) or value is None:
            document.assign(key, min(value or most, most), "--preview")
    optimizer = document.data.get("optimizer")
    steps = optimizer.get("steps", 200) if isinstance(optimizer, dict) else 200
    if optimizer is None:
        document.assign("optimizer.use", "adam", "--preview")
    if isinstance(steps, int):
        document.assign("optimizer.steps", max(1, min(steps, _PREVIEW_STEPS)), "--preview")
    output = document.data.get("output")
    if isinstance(output, str):
        path = absolute(output, document.folder)
        if not path.name:
            return  # the check of the document reports that
        preview = path.with_stem(f"{path.stem}-preview")
        document.assign("output", str(preview), "--preview")


@pipeline.command()
@click.option(
    "--preset",
    type=click.Choice(["default", "draft", "quality", "gatys", "paper"]),
    default="default",
    show_default=True,
    help="What to start from.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("spec.yaml"),
    show_default=True,
    help="The file to write; - for standard output.",
)
def init(preset: str, output: Path) -> None:
    """Write a spec to start from."""
    from instyle_core.config.plan import preset_text
    from instyle_core.errors import InputError
    from instyle_core.files import write_atomically

    text = preset_text(preset)
    if str(output) == "-":
        click.echo(text, nl=False)
        return
    if output.exists():
        hint = "choose another name with -o, or remove it"
        raise InputError("this file is already there", where=str(output), hint=hint)
    write_atomically(output, text.encode())
    click.echo(f"wrote {output}; set its pictures, then: instyle pipeline run {output}")


@pipeline.command()
@_spec
@_set
def validate(spec: Path, assignments: tuple[str, ...]) -> None:
    """Check SPEC and report every error at once.

    Files are looked into, plugins asked what they need, and the device is looked for: what is left
    to a run is what only the pixels tell, and what networks make of them.
    """
    from instyle_core.config.plan import load_plan
    from instyle_core.validation import check

    def change(document: Document) -> None:
        for assignment in assignments:
            document.set(assignment)

    plan = load_plan(spec, change)
    check(plan)
    for note in plan.notes:
        click.echo(f"note: {note}", err=True)
    count = len(plan.objects)
    what = f"{count} object{'s' if count != 1 else ''}" if count else "the whole picture"
    click.echo(f"{spec}: fine ({what} of {plan.spec.content.name})")


@pipeline.command()
def schema() -> None:
    """Print the JSON Schema of specs, with the parameters of every installed plugin."""
    import json

    from instyle_core.config.schema import spec_schema
    from instyle_core.plugin.registry import Registry

    click.echo(json.dumps(spec_schema(Registry.installed()), indent=2, ensure_ascii=False))
