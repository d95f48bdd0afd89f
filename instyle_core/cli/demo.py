"""``instyle demo``: a run on pictures that ship with instyle."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="The folder that gets the pictures, the spec and the result.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def demo(folder: Path, quiet: bool) -> None:
    """Repaint a cat: no network, no pictures of your own needed."""
    from importlib.resources import files

    from instyle_core.cli.pipeline import carry_out, plan_of
    from instyle_core.errors import InputError
    from instyle_core.files import write_atomically

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"it cannot be made: {error.strerror}", where=str(folder)) from error
    source = files("instyle_core").joinpath("demo")
    files_of_demo = {
        name: source.joinpath(name).read_bytes() for name in ("cat.png", "swirls.jpg", "demo.yaml")
    }
    for name, data in files_of_demo.items():
        path = folder / name
        if path.exists() and not (path.is_file() and path.read_bytes() == data):
            what = "this is already there, and is not the demo's file"
            hint = "choose another folder with -o; `instyle pipeline run` runs a spec of your own"
            raise InputError(what, where=str(path), hint=hint)
    for name, data in files_of_demo.items():
        write_atomically(folder / name, data)
    carry_out(plan_of(folder / "demo.yaml"), quiet=quiet)
