"""The plan of a job: the spec, with what varies put in its place."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from instyle_batch.job import Job, Task
from instyle_core import Plan, Registry, plan_of

if TYPE_CHECKING:
    from instyle_core.config.document import Document


def plan_for(job: Job, task: Task, photo: Path, output: Path) -> Plan:
    """The plan of a job.

    Raises:
        SpecError: with everything that is wrong.
        InputError: the spec cannot be read.
    """

    def change(document: Document) -> None:
        for assignment in task.assignments:
            document.set(assignment)
        if task.device:
            document.assign("device", task.device, "--devices")
        if job.style:
            _assign_style(document, job.style)
        document.assign("content", str(photo), job.photo)
        document.assign("output", str(output), job.name)

    return plan_of(Path(task.spec), change, _plugins())


@cache
def _plugins() -> Registry:
    """Those that are installed, found once for all photos."""
    return Registry.installed()


def _assign_style(document: Document, style: str) -> None:
    """Put a style picture in place of all that the spec names, whose scale is kept."""
    where = f"--styles {style}"
    data = document.data if isinstance(document.data, dict) else {}
    objects = data.get("objects")
    places = {"style": data.get("style")}
    for number, item in enumerate(objects if isinstance(objects, list) else ()):
        if isinstance(item, dict) and item.get("style") is not None:
            places[f"objects.{number}.style"] = item["style"]
    for place, value in places.items():
        scale = {"scale": value["scale"]} if isinstance(value, dict) and "scale" in value else {}
        document.assign(place, {"images": [style], **scale}, where)
