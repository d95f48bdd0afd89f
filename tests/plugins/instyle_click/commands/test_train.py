"""``instyle click train``: what it writes, and what it refuses before it begins."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import instyle_fcn8s.weights
from instyle_click import checkpoint
from instyle_click.description import read_metadata
from instyle_click.network import ClickNet
from instyle_click.recipes import RECIPE
from instyle_core import fetch
from tests.core.helpers.commands import Command, Done, assert_error
from tests.plugins.instyle_click.commands.trainings import log, options
from tests.plugins.instyle_training.shapes import CAT, DOG, scene, write_photo, write_sbd, write_voc
from tests.plugins.instyle_training.trainings import TINY, files

FILES = {
    "training.json",
    "checkpoints/best.ckpt",
    "checkpoints/last.ckpt",
    "logs/version_0/metrics.csv",
    "click.safetensors",
}


def test_what_it_writes(trained: tuple[Path, Done]) -> None:
    folder, done = trained
    assert done.status == 0
    assert files(folder) == FILES
    first, second, last = done.out.splitlines()
    assert re.fullmatch(r"epoch 1/2 .* train/loss \d.* val/iou_1 0\.\d{4}.*", first)
    assert second.startswith("epoch 2/2 ")
    val = read_metadata(folder / "click.safetensors").training["val"]
    ious = ", ".join(f"{val['iou'][n]:.3f} after {n}" for n in "1235")
    assert last == f"{folder / 'click.safetensors'}: IoU {ious} clicks on 3 photos of val"


def test_it_tells_how_it_came_to_be(trained: tuple[Path, Done]) -> None:
    folder, _ = trained
    names = "".join(f"train_{number:03}\n" for number in range(9))
    settings = json.loads((folder / "training.json").read_text())
    recipe = replace(RECIPE, epochs=2, batch=4, crop=64, precision="32-true")
    assert settings == {
        "recipe": asdict(recipe),
        "encoder": TINY,
        "encoder_weights": "none",
        "without": [],
        "seed": 0,
        "photos": 9,
        "list_sha256": hashlib.sha256(names.encode()).hexdigest(),
        "val_list_sha256": hashlib.sha256(b"val_000\nval_001\nval_002\n").hexdigest(),
    }
    metadata = read_metadata(folder / "click.safetensors")
    val = metadata.training.pop("val")
    assert metadata.training == settings
    assert (metadata.network, metadata.encoder) == ("click", TINY)
    assert (val["photos"], val["objects"]) == (3, 3)


def test_the_file_has_what_was_trained(trained: tuple[Path, Done]) -> None:
    """The best epoch's average, in float16."""
    folder, _ = trained
    best = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    state = load_file(folder / "click.safetensors")
    assert {f"network.{name}" for name in state} == {*best}
    for name, value in state.items():
        assert torch.equal(value, best[f"network.{name}"].to(value.dtype)), name


def test_sbd_and_a_file_of_its_own(voc: Path, tmp_path: Path, instyle: Command) -> None:
    sbd = write_sbd(tmp_path / "sbd", ["a", "train_001", "val_002"], ["val_001", "b"])
    output, export = tmp_path / "out", tmp_path / "weights" / "mine.safetensors"
    done = instyle(*options(voc, output, sbd=sbd, epochs=1, export=export))
    assert done.status == 0, done.err
    assert read_metadata(export).training["photos"] == 11
    assert not [*output.glob("*.safetensors")]


def test_classes_are_left_out(tmp_path: Path, instyle: Command) -> None:
    """Photos that show one of them are not trained on; all are validated on."""
    data = write_voc(tmp_path / "data", train=6, val=2)
    for number in (1, 3, 4):
        photo, mask = scene(number)
        write_photo(data, f"train_{number:03}", photo, np.where(mask == DOG, 0, mask))
    done = instyle(*options(data, tmp_path / "out", without="dog, sheep", batch=3, epochs=1))
    assert done.status == 0, done.err
    training = read_metadata(tmp_path / "out" / "click.safetensors").training
    assert (training["photos"], training["without"]) == (3, [DOG, 17])
    assert training["val"]["photos"] == 2
    done = instyle(*options(data, tmp_path / "other", without="dog", batch=4))
    assert_error(done, 2, "--without", "3 photos are left", "a batch of 4", "lower --batch")
    assert not (tmp_path / "other").exists()


def test_a_training_goes_on_from_weights(
    voc: Path, tmp_path: Path, weights: Path, instyle: Command
) -> None:
    """With a rate so low that they stay what they were."""
    changes = {"start": weights, "learning-rate": 1e-12, "epochs": 1, "encoder": None}
    done = instyle(*options(voc, tmp_path / "out", **changes))
    assert done.status == 0, done.err
    before, after = load_file(weights), load_file(tmp_path / "out" / "click.safetensors")
    for name, _ in ClickNet(encoder=TINY).named_parameters():
        torch.testing.assert_close(after[name], before[name], atol=1e-6, rtol=1e-3)
    metadata = read_metadata(tmp_path / "out" / "click.safetensors")
    assert metadata.encoder == TINY
    assert metadata.training["encoder_weights"] == "net.safetensors"


def test_encoder_weights_of_a_file(
    voc: Path, tmp_path: Path, weights: Path, instyle: Command
) -> None:
    """Of a whole network, too; the layers that see the photo alone stay the same to the bit."""
    changes = {"encoder-weights": weights, "learning-rate": 1e-12, "epochs": 1}
    done = instyle(*options(voc, tmp_path / "out", **changes))
    assert done.status == 0, done.err
    before, after = load_file(weights), load_file(tmp_path / "out" / "click.safetensors")
    network = checkpoint.load(weights)
    looking = {id(weight) for weight in network.looking()}
    for name, weight in network.named_parameters():
        if name.startswith("encoder."):
            torch.testing.assert_close(after[name], before[name], atol=1e-6, rtol=1e-3)
        if id(weight) in looking:
            assert torch.equal(after[name], before[name]), name
    assert not torch.equal(after["score.weight"], before["score.weight"])


def test_no_object_to_validate_on(tmp_path: Path, instyle: Command) -> None:
    data = write_voc(tmp_path / "data", train=4, val=1)
    photo, mask = scene(0)
    write_photo(data, "val_000", photo, np.where(mask == CAT, 0, 0).astype(np.uint8))
    done = instyle(*options(data, tmp_path / "out", epochs=1))
    assert done.status == 0, done.err
    assert done.out.endswith(": there was nothing to click on in 1 photos of val\n")


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"encoder": "resnet43"}, ["--encoder", "did you mean", "resnet34"]),
        ({"encoder": "resnet34"}, ["--encoder", "resnet34 is none of timm's EfficientNets"]),
        ({"encoder": "tu-test_vit"}, ["--encoder", "none of timm's EfficientNets"]),
        ({"without": "unicorn"}, ["'unicorn'", "person"]),
        ({"without": "background"}, ["'background'"]),
        ({"batch": 10}, ["9 of 9 photos", "less than a batch of 10", "lower --batch"]),
        ({"data": "nowhere"}, ["nowhere", "VOCdevkit/VOC2012"]),
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


def test_starts_that_are_none(voc: Path, tmp_path: Path, instyle: Command) -> None:
    start: Path | str = tmp_path / "nowhere.safetensors"
    assert_error(instyle(*options(voc, tmp_path / "out", start=start)), 3, str(start))
    start = fetch(instyle_fcn8s.weights.ANIMALS)
    done = instyle(*options(voc, tmp_path / "out", start=start))
    assert_error(done, 3, str(start), "network: Field required", "written by this plugin")
    assert not (tmp_path / "out").exists()


def test_an_earlier_training_is_not_overwritten(
    voc: Path, trained: tuple[Path, Done], instyle: Command
) -> None:
    folder, _ = trained
    before = (folder / "checkpoints" / "last.ckpt").read_bytes()
    assert_error(instyle(*options(voc, folder)), 2, str(folder), "earlier training", "--resume")
    assert (folder / "checkpoints" / "last.ckpt").read_bytes() == before
    done = instyle(*options(voc, folder, without="sheep"), "--resume")
    assert_error(done, 2, "without was [], and is now [17]")
    assert log(folder)[-1][0] == 1
