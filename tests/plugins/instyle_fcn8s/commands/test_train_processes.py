"""A training by two processes: the same figures as by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix
from torch import Tensor

from instyle_fcn8s import checkpoint
from instyle_fcn8s.network import FCN
from instyle_training.metrics import Figures
from instyle_training.voc import IGNORED, open_voc, renumbering
from tests.plugins.instyle_fcn8s.commands.trainings import CLASSES, log, options
from tests.plugins.instyle_training.trainings import TINY, files, python

WATCHED = """
import os, torch
from instyle_core.cli import main
from instyle_fcn8s import training

def save(module, name, thing):
    trainer = module.trainer
    file = f"{name}-{trainer.current_epoch}-{trainer.global_rank}.pt"
    torch.save(thing, os.path.join(os.environ["WATCHED"], file))

class Learner(training.FCNLearner):
    def validation_step(self, batch, number):
        if number == 0:
            save(self, "weights", self.network.state_dict())
        super().validation_step(batch, number)

    def on_validation_epoch_end(self):
        save(self, "confusion", self._confusion.confmat.clone())
        super().on_validation_epoch_end()

    def on_train_end(self):
        save(self, "trained", dict(self.network.named_parameters()))

training.FCNLearner = Learner  # before the command imports it
main()
"""


def test_two_processes(voc: Path, tmp_path: Path) -> None:
    """Three photos to validate on, so that one process has two of them."""
    watched, folder = tmp_path / "watched", tmp_path / "out"
    watched.mkdir()
    changes = {"devices": 2, "strategy": "ddp", "batch": 2}
    done = python(WATCHED, options(voc, folder, **changes), WATCHED=str(watched))
    assert done.status == 0, done.err

    # Everything is written and printed once.
    assert files(folder) == {
        "training.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "logs/version_0/metrics.csv",
        f"fcn8s-{TINY}.safetensors",
    }
    first, second, last = done.out.splitlines()
    assert first.startswith("epoch 1/2 ")
    assert second.startswith("epoch 2/2 ")
    assert "mean IoU" in last
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 4

    def saved(name: str, epoch: int) -> list[Any]:
        return [torch.load(watched / f"{name}-{epoch}-{rank}.pt") for rank in (0, 1)]

    for epoch, mean_iou in log(folder):
        ours, theirs = saved("weights", epoch)
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            assert torch.equal(value, theirs[name]), name
        parts = saved("confusion", epoch)
        assert min(int(part.sum()) for part in parts) > 0
        alone = confusion_by_one(ours, voc)
        assert abs(sum(parts).numpy() - alone).sum() <= 4  # pixels on the verge
        assert mean_iou == pytest.approx(Figures.of(alone, CLASSES).mean_iou, abs=1e-3)
    ours, theirs = saved("trained", 2)
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name

    exported = checkpoint.read_metadata(folder / f"fcn8s-{TINY}.safetensors").training
    best = max(value for _, value in log(folder))
    assert exported["val"]["mean_iou"] == pytest.approx(best, abs=1e-3)


def confusion_by_one(state: dict[str, Tensor], voc: Path) -> Any:
    """The confusion matrix of weights, photo by photo, in this process."""
    network = FCN(CLASSES, encoder=TINY).eval()
    network.load_state_dict(state)
    numbers, total = renumbering(CLASSES), np.zeros((3, 3), int)
    for photo, mask in open_voc(voc, "val"):
        with torch.no_grad():
            found = network(photo[None] / 255)[0].argmax(dim=0)
        truth = numbers[mask.long()]
        known = truth != IGNORED
        total += confusion_matrix(truth[known], found[known], labels=range(3))
    return total
