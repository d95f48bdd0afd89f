"""A training that was killed, and goes on."""

from __future__ import annotations

import signal
from pathlib import Path

import torch
from safetensors.torch import load_file

from instyle_click.description import read_metadata
from tests.core.helpers.commands import Command
from tests.plugins.instyle_click.commands.trainings import log, options
from tests.plugins.instyle_training.trainings import files, kill

KILLED = """
import os, signal
from instyle_core.cli import main
from instyle_click import training

step = training.ClickLearner.training_step

def killed(self, batch, number):
    if self.trainer.global_step == 3:  # in the middle of the second epoch of two steps
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, number)

training.ClickLearner.training_step = killed
main()
"""


def test_a_training_that_was_killed_ends_as_an_unbroken_one(
    instyle: Command, voc: Path, tmp_path: Path
) -> None:
    """To the bit: the weights, their average, and the figures of every epoch."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    changes = {"epochs": 3, "workers": 1}
    done = instyle(*options(voc, whole, **changes))
    assert done.status == 0, done.err
    assert kill(KILLED, options(voc, broken, **changes)) == -signal.SIGKILL
    assert "training.json" in files(broken)
    assert [epoch for epoch, _ in log(whole)] == [0, 1, 2]
    assert not [*broken.glob("*.safetensors")]
    before = torch.load(broken / "checkpoints" / "last.ckpt", weights_only=True)
    assert (before["epoch"], before["global_step"]) == (0, 2)
    done = instyle(*options(voc, broken, **changes), "--resume")
    assert done.status == 0, done.err
    assert log(broken, version=1) == log(whole)[1:]
    first, second = (folder / "click.safetensors" for folder in (broken, whole))
    ours, theirs = read_metadata(first), read_metadata(second)
    for metadata in (ours, theirs):
        del metadata.training["val"]["seconds"]
    assert ours == theirs
    for name, value in load_file(first).items():
        assert value.numpy().tobytes() == load_file(second)[name].numpy().tobytes(), name
    states = [
        torch.load(f / "checkpoints" / "last.ckpt", weights_only=True) for f in (broken, whole)
    ]
    for key in ("state_dict", "current_model_state", "averaging_state", "optimizer_states"):
        torch.testing.assert_close(states[0][key], states[1][key], rtol=0, atol=0)
    changed = states[0]["current_model_state"]["network.score.weight"]
    assert not torch.equal(changed, before["current_model_state"]["network.score.weight"])
