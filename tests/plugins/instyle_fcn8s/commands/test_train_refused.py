"""Trainings that are refused before they begin, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.core.helpers.commands import Command, assert_error
from tests.plugins.instyle_fcn8s.commands.trainings import options
from tests.plugins.instyle_training.shapes import write_voc
from tests.plugins.instyle_training.trainings import files


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
