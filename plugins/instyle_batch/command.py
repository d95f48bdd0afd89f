"""``instyle batch``, the command."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FOLDER",
    help="Where the pictures go, or an URL such as s3://bucket/painted.",
)
@click.option(
    "--from",
    "lists",
    multiple=True,
    metavar="FILE",
    help="A file with a photo, folder or pattern in each line; - for standard input.",
)
@click.option(
    "--styles",
    multiple=True,
    metavar="PICTURES",
    help="Style pictures, or a folder of them: each photo in each of these styles.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value of the spec, such as size=256; may be repeated.",
)
@click.option(
    "--watch", is_flag=True, help="Then wait for more photos in the folders; Ctrl-C ends."
)
@click.option("--again", is_flag=True, help="Make also what has been made before.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first photo that fails.")
@click.option(
    "--devices",
    default="auto",
    show_default=True,
    metavar="NAMES",
    help="A worker for each: auto for every GPU, 0,1 for two of them, cpu.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    help="Processes, or parts of a cluster's work.  [default: one for each GPU, or as many as "
    "pay on a processor]",
)
@click.option("--cluster", metavar="ADDRESS", help="ray, ray://HOST:10001 or slurm.")
@click.option(
    "--cluster-set",
    "cluster_settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="What each part asks for, such as num_gpus=1 (Ray), slurm_partition=gpu (Slurm).",
)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON as each photo is done.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def batch(
    spec: Path,
    inputs: tuple[str, ...],
    output: str,
    lists: tuple[str, ...],
    styles: tuple[str, ...],
    assignments: tuple[str, ...],
    watch: bool,
    again: bool,
    fail_fast: bool,
    devices: str,
    workers: int | None,
    cluster: str | None,
    cluster_settings: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> int:
    """Repaint every photo of INPUTS by SPEC, whose `content` and `output` are what varies.

    INPUTS are files, folders, patterns in quotes, or URLs. Pictures have the names of their photos,
    in folders nested as theirs. What has been done is skipped: the same command goes on where it
    was interrupted, and several of them share the work.

    The exit status is 0 if all is done, 1 if a photo failed, 130 if it was interrupted.
    """
    from instyle_batch.batch import Options, carry_out

    given = Options(
        spec=spec,
        inputs=inputs,
        output=output,
        lists=lists,
        styles=styles,
        assignments=assignments,
        watch=watch,
        again=again,
        fail_fast=fail_fast,
        devices=devices,
        workers=workers,
        cluster=cluster,
        cluster_settings=cluster_settings,
        as_json=as_json,
        quiet=quiet,
    )
    return carry_out(given)
