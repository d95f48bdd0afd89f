"""What ``instyle fcn8s train`` writes."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from instyle_fcn8s import checkpoint
from instyle_fcn8s.network import FCN
from instyle_fcn8s.recipes import MODERN, PAPER
from instyle_training import encoders
from tests.core.helpers.commands import Command, Done
from tests.plugins.instyle_fcn8s.commands.trainings import CLASSES, log, options
from tests.plugins.instyle_training.shapes import write_sbd
from tests.plugins.instyle_training.trainings import TINY, files


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
            "optimizer": "sgd",
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


def test_the_papers_preset_is_there(voc: Path, tmp_path: Path, instyle: Command) -> None:
    changes = {"preset": "paper", "epochs": 1, "learning-rate": None, "precision": None}
    done = instyle(*options(voc, tmp_path / "out", **changes))
    assert done.status == 0, done.err
    recipe = json.loads((tmp_path / "out" / "training.json").read_text())["recipe"]
    assert recipe["preset"] == "paper"
    assert recipe["learning_rate"] == PAPER.learning_rate
    assert recipe["schedule"] == "constant"
    assert "train/learning_rate 0.0100" in done.out
