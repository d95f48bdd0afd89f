"""A batch from its options to its exit status."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from instyle_batch.display import Display
from instyle_batch.engines import Engine
from instyle_batch.inputs import jobs_of, lines_of, photos, styles_of
from instyle_batch.job import Job, Task
from instyle_batch.plans import plan_for
from instyle_batch.report import Report
from instyle_batch.storage import check_writable, own_folder
from instyle_batch.urls import is_inside, is_url, joined, place_of
from instyle_batch.work import Work
from instyle_core import InputError, InstyleError, SpecError, raising


@dataclass(frozen=True)
class Options:
    """The options of the command, which documents them."""

    spec: Path
    inputs: Sequence[str]
    output: str
    lists: Sequence[str] = ()
    styles: Sequence[str] = ()
    assignments: Sequence[str] = ()
    watch: bool = False
    again: bool = False
    fail_fast: bool = False
    devices: str = "auto"
    workers: int | None = None
    cluster: str | None = None
    cluster_settings: Sequence[str] = ()
    as_json: bool = False
    quiet: bool = False


def carry_out(options: Options) -> int:
    """Carry out a batch.

    Returns:
        The exit status.

    Raises:
        InstyleError: what keeps all of it from being done.
    """
    given = [*options.inputs, *(line for path in options.lists for line in lines_of(path))]
    if not given:
        hint = "name files, folders or patterns, or a list with --from"
        raise InputError("no photo is named", hint=hint)
    output = options.output if is_url(options.output) else os.path.abspath(options.output)
    _check_output(output, given)
    styles = styles_of(options.styles) if options.styles else []
    watched = [text for text in given if os.path.isdir(text)] if options.watch else []
    found = [*photos(text for text in given if text not in watched)]
    jobs = jobs_of(found, styles) if found or not watched else []
    task = Task(
        os.path.abspath(options.spec), output, tuple(options.assignments), again=options.again
    )
    _check_replaced(jobs, task)
    if is_url(output):
        check_writable(output)
    else:
        own_folder(output)
    _check_spec(task, styles)
    engine, notes = _engine(options, len(jobs))
    source = None
    if options.watch:
        from instyle_batch.watch import Watch

        source = Watch(watched, styles, jobs)
    with Display(options.quiet) as display, source or nullcontext(), raising():
        for note in [*notes, *_fixed_places(task, jobs)]:
            display.say(f"note: {note}", "yellow")
        return _carry_out(Work(jobs, source), engine, task, display, options)


def _carry_out(work: Work, engine: Engine, task: Task, display: Display, options: Options) -> int:
    report, began = Report(), time.monotonic()
    is_interrupted = False
    outcomes = engine.outcomes(work, task, display)
    try:
        for outcome in outcomes:
            work.ended(outcome)
            report.add(outcome)
            display.ended(outcome, len(report), None if options.watch else work.total)
            if outcome.status == "busy":
                continue
            if options.as_json:
                click.echo(json.dumps(outcome.facts()))
            is_interrupted = is_interrupted or outcome.status == "interrupted"
            if outcome.status == "failed" and options.fail_fast:
                break
    except KeyboardInterrupt:
        is_interrupted = is_interrupted or not options.watch  # which ends in no other way
    finally:
        outcomes.close()
        missing = work.left
        if len(report):  # else the one of an earlier batch stays
            seconds = round(time.monotonic() - began, 3)
            told = {key: value for key, value in asdict(task).items() if key != "output"}
            report.write(task, {**told, "seconds": seconds}, missing)
    display.stop()
    if not options.quiet:
        where = f"{task.output}/batch.html"
        counts = ", ".join(f"{count} {status}" for status, count in report.counts.items())
        left = f", {missing} not come to" if missing else ""
        display.table(report.outcomes, f"{counts or 'nothing done'}{left}; see {where}")
    if is_interrupted:
        return 130
    is_incomplete = bool(missing) and not options.watch
    return 1 if report.counts["failed"] or is_incomplete else 0


def _check_output(output: str, given: Sequence[str]) -> None:
    """Refuse a folder for the pictures within one of the photos, or that a file takes the place of.

    Raises:
        InputError: it is one.
    """
    if os.path.lexists(output) and not os.path.isdir(output):
        what = "the pictures are to go into a folder, and this is a file"
        raise InputError(what, where=output, hint="choose another with -o")
    for text in given:
        if (is_url(text) or os.path.isdir(text)) and is_inside(output, text):
            what = f"this is inside of {text}, so that the next batch would take its pictures"
            raise InputError(what + " for photos", where=output, hint="choose another with -o")


def _check_replaced(jobs: Sequence[Job], task: Task) -> None:
    for job in jobs:
        if place_of(joined(task.output, job.name)) == place_of(job.photo):
            what = "the picture would replace this photo"
            raise InputError(what, where=job.photo, hint="choose another folder with -o")


#: Stands for any photo; what is wrong with it is no matter of the spec.
_ANY = Job("any.png", "any.png")


def _check_spec(task: Task, styles: Sequence[str]) -> None:
    """Find what is wrong with the spec before any work.

    Raises:
        InstyleError: what is wrong, whatever the photo.
    """
    job = Job(_ANY.name, _ANY.photo, styles[0] if styles else None)
    try:
        plan_for(job, task, Path(job.photo), Path(job.name).absolute())
    except SpecError as error:
        wrong = [problem for problem in error.problems if problem.where != job.photo]
        if wrong:
            raise SpecError(wrong) from error


def _fixed_places(task: Task, jobs: Sequence[Job]) -> list[str]:
    """Notes about objects whose place is the same in each photo."""
    try:
        job = jobs[0]
        plan = plan_for(job, task, Path(job.photo), Path(task.output, _ANY.name))
    except (IndexError, InstyleError):  # it is told when its turn comes
        return []
    told = {number: item.select.prompt for number, item in enumerate(plan.objects)}
    return [
        f"objects.{number}: its {'box' if prompt.box else 'point'} is the same in each photo"
        for number, prompt in told.items()
        if prompt.box or prompt.points
    ]


def _engine(options: Options, photos: int) -> tuple[Engine, list[str]]:
    """How the jobs are carried out, and notes.

    Raises:
        InputError: the devices or the cluster are none.
    """
    settings = dict(_setting(text) for text in options.cluster_settings)
    if options.cluster:
        kind = options.cluster.partition(":")[0]
        if kind not in ("ray", "slurm"):
            hint = "ray for this machine, ray://HOST:10001 for a cluster, or slurm"
            raise InputError("this is no cluster", where=options.cluster, hint=hint)
        if kind == "ray":
            from instyle_batch.engines.on_ray import OnRay

            return OnRay(options.cluster, options.workers, settings), []
        if options.watch:
            what, hint = "Slurm needs to know the photos beforehand", "watch with --cluster ray"
            raise InputError(what, where="--watch", hint=hint)
        from instyle_batch.engines.on_slurm import OnSlurm

        return OnSlurm(options.workers, settings), []
    if settings:
        raise InputError("--cluster-set is of no use without --cluster")
    from instyle_batch.devices import devices_of
    from instyle_batch.engines.here import Here
    from instyle_batch.engines.processes import Processes

    devices, notes = devices_of(options.devices, options.workers, photos)
    return Here(devices[0]) if len(devices) == 1 else Processes(devices), notes


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise InputError("this is not of the form KEY=VALUE", where=f"--cluster-set {text}")
    return key, yaml.safe_load(value)
