"""A folder of photos, and the command on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest

from instyle_batch.engines.versions import versions
from instyle_batch.job import Job, Task
from instyle_batch.plans import _plugins
from tests.core.helpers.commands import Command, Done
from tests.core.helpers.studio import Studio, noise, save


@dataclass
class Batch:
    """A folder in which the toy plugin is at work.

    Attributes:
        studio: the folder, with a style, a mask, and the spec of `spec`.
        instyle: runs a command in this process.
    """

    studio: Studio
    instyle: Command

    @property
    def folder(self) -> Path:
        return self.studio.folder

    @property
    def output(self) -> Path:
        return self.folder / "painted"

    def photos(self, *names: str) -> Path:
        """Write photos, each another one, to the folder `photos`, and give that."""
        top = self.folder / "photos"
        for number, name in enumerate(names):
            path = top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            save(path, noise(seed=100 + number))
        return top

    def spec(self, **changes: Any) -> Path:
        return self.studio.spec(**{"content": "any.png", **changes})

    def task(self, **changes: Any) -> Task:
        spec = changes.pop("spec", None) or str(self.spec())
        return Task(spec, str(self.output), **changes)

    def jobs(self, *names: str) -> list[Job]:
        top = self.photos(*names)
        return [Job(name, str(top / name)) for name in names]

    def run(self, *arguments: str | Path, spec: Path | None = None) -> Done:
        """`instyle batch` from the photos to the output."""
        spec = spec or self.spec()
        photos = self.folder / "photos"
        return self.instyle("batch", spec, photos, "-o", self.output, *arguments)

    @property
    def record(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.output / "batch.json").read_text("utf-8"))
        return told

    @property
    def statuses(self) -> dict[str, str]:
        return {row["name"]: row["status"] for row in self.record["photos"]}

    def pictures(self) -> set[str]:
        """The names of the pictures that are there."""
        return {
            path.relative_to(self.output).as_posix()
            for path in self.output.rglob("*")
            if path.is_file()
            and path.suffix in (".png", ".jpg")
            and not any(part.startswith(".") or part.endswith(".run") for part in path.parts)
        }


@pytest.fixture
def batch(studio: Studio, instyle: Command) -> Batch:
    return Batch(studio, instyle)


@pytest.fixture
def memory() -> Iterator[Any]:
    """The file system of fsspec in memory, which is empty before and after."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.fixture(autouse=True)
def fresh_plugins() -> Iterator[None]:
    """Plugins are found anew, as in a process of its own: tests install different ones."""
    for found in (_plugins, versions):
        found.cache_clear()
    yield
    for found in (_plugins, versions):
        found.cache_clear()
