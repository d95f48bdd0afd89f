"""Photos and a spec whose steps take their time, and tell in a file which process takes them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from instyle_batch.job import Job, Task
from tests.core.helpers.site import Site
from tests.core.helpers.studio import TOY, Studio, noise, save

#: A distribution of its own, so that other processes find it by its entry point.
DISTRIBUTION = "instyle-slow"

SOURCE = '''
import os, time
from instyle_core import Loss, LossParams, Plugin, hookimpl

class SlowParams(LossParams):
    seconds: float = 0.02
    log: str

class Slow(Loss):
    """Pulls the picture to gray, slowly."""

    def __init__(self, params):
        self._params = params

    def prepare(self, targets):
        pass

    def __call__(self, view):
        with open(self._params.log, "a") as file:
            file.write(f"{os.getpid()}\\n")
        time.sleep(self._params.seconds)
        return (view.image - 0.5).square().mean()

@hookimpl
def instyle_plugins():
    return [Plugin("loss", "slow", SlowParams, "instyle_slow:Slow", "A slow loss.")]
'''

STEPS = 20


def install(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the slow loss and the toys for this process and those that it starts."""
    site.install(DISTRIBUTION, SOURCE)
    path = [str(TOY), str(site.folder), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))


class Slowly:
    """A folder with photos, the slow spec, and the log of its steps."""

    def __init__(self, studio: Studio, photos: int, seconds: float = 0.02) -> None:
        self.folder = studio.folder
        self.log = studio.folder / "steps.log"
        self.painted = studio.folder / "painted"
        loss = {"use": "slow", "seconds": seconds, "log": str(self.log)}
        optimizer = {"use": "adam", "steps": STEPS, "scales": 1, "learning_rate": 0.1}
        self.spec = studio.spec(losses=[loss], optimizer=optimizer)
        self.photos = studio.folder / "photos"
        self.photos.mkdir()
        for number in range(photos):
            save(self.photos / f"{number}.png", noise(seed=number))

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.photos.iterdir())

    @property
    def jobs(self) -> list[Job]:
        return [Job(name, str(self.photos / name)) for name in self.names]

    @property
    def task(self) -> Task:
        return Task(str(self.spec), str(self.painted))

    @property
    def steps(self) -> list[int]:
        """The process that took each step."""
        return [int(line) for line in self.log.read_text().split()] if self.log.exists() else []

    def wait(self, steps: int, seconds: float = 60) -> None:
        """Wait until so many steps were taken."""
        wait(lambda: len(self.steps) >= steps, seconds)


def wait(until: Callable[[], bool], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < ends, "it has not come to that"
        time.sleep(0.02)


def is_whole(path: Path) -> bool:
    """Whether a picture is there with its record."""
    return path.is_file() and (path.parent / f"{path.name}.run" / "run.json").is_file()
