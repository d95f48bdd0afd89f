"""Trainings that were killed or interrupted, and go on; and what they do not go on with."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from instyle_fcn8s import checkpoint, training
from tests.core.helpers.commands import Command, Done, assert_error
from tests.plugins.instyle_fcn8s.commands.trainings import log, options
from tests.plugins.instyle_training.shapes import write_list, write_voc
from tests.plugins.instyle_training.trainings import TINY, files, kill

# --- stopped by Ctrl-C ----------------------------------------------------------------------------


def test_an_interrupted_training(
    instyle: Command, voc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = training.FCNLearner.training_step

    def stopped(module: Any, batch: Any, number: int) -> Any:
        if module.trainer.global_step == 3:  # in the middle of the second epoch of two steps
            signal.raise_signal(signal.SIGINT)
        return step(module, batch, number)

    monkeypatch.setattr(training.FCNLearner, "training_step", stopped)
    done = instyle(*options(voc, tmp_path))
    assert done.status == 130
    assert (
        f"error: {tmp_path}: interrupted\n  go on with the last full epoch by --resume" in done.err
    )
    assert not [*tmp_path.glob("*.safetensors")]


# --- refused --------------------------------------------------------------------------------------


def test_an_earlier_training_is_not_overwritten(
    voc: Path, trained: tuple[Path, Done], instyle: Command
) -> None:
    folder, _ = trained
    before = (folder / "checkpoints" / "last.ckpt").read_bytes()
    assert_error(instyle(*options(voc, folder)), 2, str(folder), "earlier training", "--resume")
    assert (folder / "checkpoints" / "last.ckpt").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"epochs": 3}, "epochs was 2, and is now 3"),
        ({"seed": 1}, "seed was 0, and is now 1"),
        ({"batch": 3}, "batch was 4, and is now 3"),
        ({"preset": "paper"}, "preset was modern, and is now paper"),
        ({"precision": "bf16-mixed"}, "precision was 32-true, and is now bf16-mixed"),
        ({"variant": "16s"}, "variant was 8s, and is now 16s"),
        ({"encoder": "tu-test_resnet"}, f"encoder was {TINY}, and is now tu-test_resnet"),
        ({"encoder-weights": "imagenet"}, "encoder_weights was none, and is now imagenet"),
        ({"classes": "cat"}, "classes was ['background', 'cat', 'dog'], and is now"),
    ],
    ids=str,
)
def test_resuming_with_other_options(
    voc: Path,
    trained: tuple[Path, Done],
    instyle: Command,
    changes: dict[str, object],
    what: str,
) -> None:
    folder, _ = trained
    done = instyle(*options(voc, folder, **changes), "--resume")
    assert_error(done, 2, what, str(folder), "the options and the data that the training began")


@pytest.mark.parametrize("split", ["train", "val"])
def test_resuming_with_other_data(
    tmp_path: Path, trained: tuple[Path, Done], instyle: Command, split: str
) -> None:
    data = write_voc(tmp_path / "data", train=9, val=3)
    base = data / "VOCdevkit" / "VOC2012"
    path = base / "ImageSets" / "Segmentation" / f"{split}.txt"
    names = path.read_text().split()
    write_list(path, [*names[:-1], names[0]])
    folder, _ = trained
    done = instyle(*options(data, folder), "--resume")
    assert_error(
        done, 2, "list_sha256 was" if split == "train" else "val_list_sha256 was", str(folder)
    )


# --- killed, and resumed --------------------------------------------------------------------------

KILLED = """
import os, signal
from instyle_core.cli import main
from instyle_fcn8s import training

step = training.FCNLearner.training_step

def killed(self, batch, number):
    if self.trainer.global_step == 3:  # in the middle of the second epoch of two steps
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, number)

training.FCNLearner.training_step = killed
main()
"""


def test_a_training_that_was_killed_ends_as_an_unbroken_one(
    instyle: Command, voc: Path, tmp_path: Path
) -> None:
    """To the bit: the weights, their average, the momentum, and the figures of every epoch."""
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
    assert_same_weights(*(folder / f"fcn8s-{TINY}.safetensors" for folder in (broken, whole)))
    states = [
        torch.load(f / "checkpoints" / "last.ckpt", weights_only=True) for f in (broken, whole)
    ]
    for key in ("state_dict", "current_model_state", "averaging_state", "optimizer_states"):
        torch.testing.assert_close(states[0][key], states[1][key], rtol=0, atol=0)
    changed = states[0]["current_model_state"]["network.score.8.weight"]
    assert not torch.equal(changed, before["current_model_state"]["network.score.8.weight"])


def assert_same_weights(first: Path, second: Path) -> None:
    """To the bit; files differ only in the order of their metadata, which is left to chance."""
    assert checkpoint.read_metadata(first) == checkpoint.read_metadata(second)
    ours, theirs = load_file(first), load_file(second)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert value.dtype == theirs[name].dtype
        assert value.numpy().tobytes() == theirs[name].numpy().tobytes(), name


def test_resuming_what_is_over_writes_the_weights_again(
    voc: Path, trained: tuple[Path, Done], tmp_path: Path, instyle: Command
) -> None:
    folder = shutil.copytree(trained[0], tmp_path / "copy")
    name = f"fcn8s-{TINY}.safetensors"
    (folder / name).unlink()
    done = instyle(*options(voc, folder), "--resume")
    assert done.status == 0, done.err
    assert_same_weights(folder / name, trained[0] / name)
