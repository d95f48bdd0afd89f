"""Short trainings of fcn8s by the command line."""

from __future__ import annotations

from pathlib import Path

from tests.plugins.instyle_training import trainings

CLASSES = ("background", "cat", "dog")


def options(data: Path, output: Path, /, **changes: object) -> list[str]:
    """A command of two epochs with two steps each."""
    own = {"classes": "dog,cat", "crop": 48, "learning-rate": 0.1}
    return trainings.options("fcn8s", data, output, **{**own, **changes})


def log(folder: Path, version: int = 0) -> list[tuple[int, float]]:
    """Epochs, and mean IoU on the validation photos after each."""
    return trainings.log(folder, "val/mean_iou", version)
