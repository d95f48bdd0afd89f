"""``instyle fcn8s train``: what it writes and refuses; killed and resumed; by two processes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import confusion_matrix
from torch import Tensor

from instyle_core.cli import main
from instyle_fcn8s import checkpoint, encoders
from instyle_fcn8s.metrics import Figures
from instyle_fcn8s.network import FCN
from instyle_fcn8s.recipes import MODERN, PAPER
from instyle_fcn8s.voc import IGNORED, open_voc, renumbering
from tests.core.helpers.commands import Command, Done, assert_error
from tests.plugins.instyle_fcn8s.shapes import write_list, write_sbd, write_voc

CLASSES = ("background", "cat", "dog")
TINY = "tu-test_efficientnet"
TIMEOUT_S = 300  # other programs may keep the processors busy


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc(tmp_path_factory.mktemp("data"), train=9, val=3)


def options(data: Path, output: Path, /, **changes: object) -> list[str]:
    """A command of two epochs with two steps each."""
    given: dict[str, object] = {
        "data": data,
        "output": output,
        "encoder": TINY,
        "encoder-weights": "none",
        "classes": "dog,cat",
        "epochs": 2,
        "batch": 4,
        "crop": 48,
        "learning-rate": 0.1,
        "precision": "32-true",
        "accelerator": "cpu",
        "devices": 1,
        "workers": 0,
    }
    pairs = [(name, value) for name, value in (given | changes).items() if value is not None]
    return [
        "fcn8s",
        "train",
        *(str(part) for name, value in pairs for part in (f"--{name}", value)),
    ]


def files(folder: Path) -> set[str]:
    """All files in a folder, without what loggers number by time."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "tensorboard" not in path.parts
    }


def log(folder: Path, version: int = 0) -> list[tuple[int, float]]:
    """Epochs, and mean IoU on the validation photos after each."""
    with (folder / "logs" / f"version_{version}" / "metrics.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["val/mean_iou"]]
    return [(int(row["epoch"]), float(row["val/mean_iou"])) for row in rows]


@pytest.fixture(scope="module")
def trained(voc: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A training that is over, and what it printed."""
    folder, printed = tmp_path_factory.mktemp("trained") / "a" / "b", io.StringIO()
    with redirect_stdout(printed), pytest.raises(SystemExit) as ended:
        main(options(voc, folder))
    return folder, Done(int(ended.value.code or 0), printed.getvalue(), "")


def python(code: str, arguments: list[str], **environment: str) -> Done:
    """Run a program as the script ``instyle`` is run: a file, which Lightning may start again."""
    folder = Path(arguments[arguments.index("--output") + 1])
    folder.parent.mkdir(parents=True, exist_ok=True)
    script = folder.with_name("script.py")
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )
    return Done(done.returncode, done.stdout, done.stderr)


# --- what it writes -------------------------------------------------------------------------------


def test_what_it_writes(trained: tuple[Path, Done], voc: Path) -> None:
    folder, done = trained
    assert done.status == 0
    assert "litlogger" not in done.err
    weights = folder / f"fcn8s-{TINY}.safetensors"
    assert files(folder) == {
        "training.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "logs/version_0/metrics.csv",
        weights.name,
    }
    first, second, last = done.out.splitlines()
    assert re.fullmatch(r"epoch 1/2 .* train/loss \d.* val/mean_iou 0\.\d{4} .*", first)
    assert second.startswith("epoch 2/2 ")
    mean_iou = max(value for _, value in log(folder))
    assert last == f"{weights}: mean IoU {mean_iou:.4f} on 3 photos of val"


def test_it_tells_how_it_came_to_be(trained: tuple[Path, Done], voc: Path) -> None:
    folder, _ = trained
    names = "".join(f"train_{number:03}\n" for number in range(9))
    settings = json.loads((folder / "training.json").read_text())
    assert settings == {
        "recipe": {
            "preset": "modern",
            **{name: getattr(MODERN, name) for name in ("momentum", "weight_decay", "schedule")},
            **{name: getattr(MODERN, name) for name in ("flip", "color", "small", "average")},
            "scale": list(MODERN.scale or ()),
            **{"epochs": 2, "batch": 4, "crop": 48, "learning_rate": 0.1, "precision": "32-true"},
        },
        "classes": ["background", "cat", "dog"],
        "encoder": TINY,
        "encoder_weights": "none",
        "variant": "8s",
        "seed": 0,
        "photos": 9,
        "photos_with_class": {"background": 9, "cat": 9, "dog": 9},
        "list_sha256": hashlib.sha256(names.encode()).hexdigest(),
        "val_list_sha256": hashlib.sha256(b"val_000\nval_001\nval_002\n").hexdigest(),
    }
    metadata = checkpoint.read_metadata(folder / f"fcn8s-{TINY}.safetensors")
    val = metadata.training.pop("val")
    assert metadata.training == settings
    assert (metadata.classes, metadata.encoder) == ([*CLASSES], TINY)
    assert val["photos"] == 3
    assert val["mean_iou"] == pytest.approx(max(value for _, value in log(folder)), abs=1e-4)
    assert set(val["boundary_f_by_class"]) == {"cat", "dog"}


def test_sbd_and_a_file_of_its_own(voc: Path, tmp_path: Path, instyle: Command) -> None:
    """SBD brings what is neither in VOC's list for training nor in that for validation."""
    sbd = write_sbd(tmp_path / "sbd", ["a", "train_001", "val_002"], ["val_001", "b"])
    output, export = tmp_path / "out", tmp_path / "weights" / "mine.safetensors"
    done = instyle(*options(voc, output, sbd=sbd, epochs=1, export=export, variant="16s"))
    assert done.status == 0, done.err
    names = "".join(f"{name}\n" for name in [*(f"train_{n:03}" for n in range(9)), "a", "b"])
    metadata = checkpoint.read_metadata(export)
    assert metadata.variant == "16s"
    assert metadata.training["photos"] == 11
    assert metadata.training["list_sha256"] == hashlib.sha256(names.encode()).hexdigest()
    assert not [*output.glob("*.safetensors")]


def test_half_the_precision(voc: Path, tmp_path: Path, instyle: Command) -> None:
    done = instyle(*options(voc, tmp_path, precision="bf16-true", epochs=1))
    assert done.status == 0, done.err
    state = load_file(tmp_path / f"fcn8s-{TINY}.safetensors")
    assert {value.dtype for value in state.values()} == {torch.float16, torch.int64}


def test_encoder_weights_of_a_file(
    voc: Path, tmp_path: Path, instyle: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a rate so low that the encoder stays what it was; and with its own normalization."""
    own = ((0.125, 0.25, 0.5), (0.5, 0.75, 1.0))
    monkeypatch.setattr(encoders, "normalization", lambda name: own)
    torch.manual_seed(5)
    start = FCN(CLASSES, encoder=TINY).encoder
    torch.save(start.state_dict(), tmp_path / "start.pth")
    changes = {"encoder-weights": tmp_path / "start.pth", "learning-rate": 1e-12, "epochs": 1}
    assert instyle(*options(voc, tmp_path / "out", **changes)).status == 0
    state = load_file(tmp_path / "out" / f"fcn8s-{TINY}.safetensors")
    for name, weight in start.named_parameters():
        assert torch.equal(state[f"encoder.{name}"], weight.half()), name
    assert (
        *map(tuple, (state["mean"].flatten().tolist(), state["std"].flatten().tolist())),
    ) == own


# --- what it refuses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": "cat,unicorn"}, ["--classes", "'unicorn'", "person"]),
        ({"classes": "cat,background"}, ["'background'"]),
        ({"encoder": "resnet43"}, ["--encoder", "did you mean", "resnet34"]),
        ({"encoder": "tu-vit_tiny_patch16_224"}, ["--encoder", "strides 8, 16 and 32"]),
        ({"encoder": "tu-test_vit"}, ["--encoder", "strides 8, 16 and 32"]),
        ({"batch": 1, "crop": 32}, ["--crop", "raise --batch"]),
        ({"batch": 10}, ["9 of 9 photos", "less than a batch of 10", "lower --batch"]),
        ({"preset": "paper", "crop": 49}, ["0 of 9 photos", "--crop", "skipped"]),
        ({"preset": "paper", "crop": None}, ["0 of 9 photos", "batch of 4"]),
        ({"data": "nowhere"}, ["nowhere", "VOCdevkit/VOC2012"]),
        ({"sbd": "nowhere"}, ["nowhere", "SBD", "img/"]),
        ({"resume": None}, ["no training to go on with", "leave out --resume"]),
    ],
    ids=str,
)
def test_what_cannot_be_trained(
    voc: Path, tmp_path: Path, instyle: Command, changes: dict[str, Any], words: list[str]
) -> None:
    more = ["--resume"] if "resume" in changes else []
    done = instyle(*options(voc, tmp_path / "out", **changes), *more)
    assert_error(done, 2, *words)
    assert files(tmp_path) == set()


def test_more_devices_than_photos(voc: Path, tmp_path: Path, instyle: Command) -> None:
    done = instyle(*options(voc, tmp_path / "out", devices=3, strategy="ddp"))
    assert done.status == 2
    assert "error: --batch: 3 times a batch of 4 is more than the photos\n  lower" in done.err


def test_a_file_of_encoder_weights_that_is_none(
    voc: Path, tmp_path: Path, instyle: Command
) -> None:
    path = tmp_path / "nowhere.pth"
    done = instyle(*options(voc, tmp_path / "out", **{"encoder-weights": path}))
    assert_error(done, 3, str(path), "no file of weights")


def test_no_hub(
    voc: Path, tmp_path: Path, instyle: Command, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    done = instyle(*options(voc, tmp_path / "out", **{"encoder-weights": "imagenet"}))
    assert_error(done, 3, "timm/test_efficientnet", "INSTYLE_OFFLINE", str(cache))
    assert not (tmp_path / "out").exists()


def test_a_damaged_photo_is_found_before_training(tmp_path: Path, instyle: Command) -> None:
    data = write_voc(tmp_path / "data", train=4, val=2)
    path = data / "VOCdevkit" / "VOC2012" / "JPEGImages" / "val_001.jpg"
    path.write_bytes(path.read_bytes()[:900])
    done = instyle(*options(data, tmp_path / "out"))
    assert_error(done, 2, str(path), "damaged")
    assert not (tmp_path / "out").exists()


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
import os, signal, sys
from instyle_core.cli import main
from instyle_fcn8s import training

try:
    main(sys.argv[1:])
except SystemExit as done:
    assert not done.code
step = training._Module.training_step

def killed(self, batch, number):
    if self.trainer.global_step == 5:  # in the middle of the third epoch of two steps
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, number)

training._Module.training_step = killed
place = sys.argv.index("--output") + 1
main([*sys.argv[1:place], os.environ["KILLED"], *sys.argv[place + 1 :]])
"""


def test_a_training_that_was_killed_ends_as_an_unbroken_one(voc: Path, tmp_path: Path) -> None:
    """To the bit: the weights, their average, the momentum, and the figures of every epoch."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    changes = {"epochs": 4, "workers": 1}
    done = python(KILLED, options(voc, whole, **changes), KILLED=str(broken))
    assert done.status == -9, done.err
    assert "training.json" in files(broken)
    assert [epoch for epoch, _ in log(whole)] == [0, 1, 2, 3]
    assert not [*broken.glob("*.safetensors")]
    before = torch.load(broken / "checkpoints" / "last.ckpt", weights_only=True)
    assert (before["epoch"], before["global_step"]) == (1, 4)
    code = "from instyle_core.cli import main; main()"
    done = python(code, [*options(voc, broken, **changes), "--resume"])
    assert done.status == 0, done.err
    assert log(broken, version=1) == log(whole)[2:]
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


# --- by two processes -----------------------------------------------------------------------------

WATCHED = """
import os, torch
from instyle_fcn8s import training
from instyle_core.cli import main

def save(module, name, thing):
    trainer = module.trainer
    file = f"{name}-{trainer.current_epoch}-{trainer.global_rank}.pt"
    torch.save(thing, os.path.join(os.environ["WATCHED"], file))

class Module(training._Module):
    def validation_step(self, batch, number):
        if number == 0:
            save(self, "weights", self.network.state_dict())
        super().validation_step(batch, number)

    def on_validation_epoch_end(self):
        save(self, "confusion", self._confusion.confmat.clone())
        super().on_validation_epoch_end()

    def on_train_end(self):
        save(self, "trained", dict(self.network.named_parameters()))

training._Module = Module
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


def test_the_papers_preset_is_there(voc: Path, tmp_path: Path, instyle: Command) -> None:
    changes = {"preset": "paper", "epochs": 1, "learning-rate": None, "precision": None}
    done = instyle(*options(voc, tmp_path / "out", **changes))
    assert done.status == 0, done.err
    recipe = json.loads((tmp_path / "out" / "training.json").read_text())["recipe"]
    assert recipe["preset"] == "paper"
    assert recipe["learning_rate"] == PAPER.learning_rate
    assert recipe["schedule"] == "constant"
    assert "train/learning_rate 0.0100" in done.out
