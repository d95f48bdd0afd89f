"""Short trainings of click by the command line."""

from __future__ import annotations

from pathlib import Path

from tests.plugins.instyle_training import trainings


def options(data: Path, output: Path, /, **changes: object) -> list[str]:
    """A command of two epochs with two steps each."""
    return trainings.options("click", data, output, **{"crop": 64, **changes})


def log(folder: Path, version: int = 0) -> list[tuple[int, float]]:
    """Epochs, and the mean IoU after one click on the validation photos after each."""
    return trainings.log(folder, "val/iou_1", version)
