"""``instyle fcn8s evaluate``: its figures, its overlays, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn import metrics

from instyle_core import Prompt
from instyle_fcn8s import checkpoint
from instyle_fcn8s.network import FCN
from instyle_fcn8s.params import FCN8sParams
from instyle_fcn8s.segmenter import FCN8s
from instyle_training.voc import IGNORED, open_voc, renumbering
from tests.core.helpers.commands import Command, assert_error
from tests.plugins.instyle_training.shapes import scene, write_photo, write_voc

CLASSES = ("background", "dog", "cat")


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo to train on, and three to judge on: wide, tall and square."""
    root = write_voc(tmp_path_factory.mktemp("voc"), train=1, val=["wide", "tall", "square"])
    write_photo(root, "tall", *scene(5, 64, 48))
    write_photo(root, "square", *scene(6, 56, 56))
    return root


def evaluated(instyle: Command, data: Path, weights: Path, *more: str | Path) -> dict[str, Any]:
    """The document that is printed."""
    done = instyle("fcn8s", "evaluate", "--data", data, "--weights", weights, "--json", *more)
    assert done.status == 0, done.err
    assert done.err == ""
    return json.loads(done.out, parse_constant=pytest.fail)


# --- figures --------------------------------------------------------------------------------------


MORE: dict[tuple[str, ...], dict[str, Any]] = {
    (): {},
    ("--no-mirror",): {"mirror": False},
    ("--size", "40"): {"size": 40},
    ("--scale", "1", "--scale", "0.5", "--prior", "0"): {"scales": [1, 0.5], "prior": 0},
}


@pytest.mark.parametrize("more", MORE, ids=str)
def test_the_document(instyle: Command, voc: Path, weights: Path, more: tuple[str, ...]) -> None:
    document = evaluated(instyle, voc, weights, *more)
    segmenter = FCN8s(FCN8sParams(weights=weights, **MORE[more]))
    numbers, y, x = renumbering(CLASSES), [], []
    for photo, mask in open_voc(voc, "val"):
        found = segmenter.segment(photo / 255, Prompt()).probabilities.argmax(dim=0)
        truth = numbers[mask.long()]
        y.append(truth[truth != IGNORED].numpy())
        x.append(found[truth != IGNORED].numpy())
    y, x = np.concatenate(y), np.concatenate(x)
    iou = metrics.jaccard_score(y, x, average=None)
    assert document["iou"] == pytest.approx(dict(zip(CLASSES, iou, strict=True)))
    assert document["mean_iou"] == pytest.approx(iou.mean())
    assert document["pixel_accuracy"] == pytest.approx(metrics.accuracy_score(y, x))
    assert set(document["boundary_f_by_class"]) == {"dog", "cat"}
    assert 0 <= document["boundary_f"] <= 1
    assert document["weights"] == str(weights)
    assert (document["split"], document["photos"]) == ("val", 3)
    assert set(document["each"]) == {"wide", "tall", "square"}
    assert set(document) == {
        *("weights", "split", "photos", "pixel_accuracy", "mean_accuracy", "mean_iou"),
        *("weighted_iou", "iou", "accuracy", "boundary_f", "boundary_f_by_class", "each"),
    }


@pytest.mark.parametrize(("split", "count"), [("train", 1), ("trainval", 4)])
def test_other_splits(instyle: Command, voc: Path, weights: Path, split: str, count: int) -> None:
    document = evaluated(instyle, voc, weights, "--split", split)
    assert (document["split"], document["photos"], len(document["each"])) == (split, count, count)


def test_figures_that_there_are_not(instyle: Command, tmp_path: Path, weights: Path) -> None:
    data = write_voc(tmp_path, train=0, val=1)
    photo, mask = scene(0)
    write_photo(data, "val_000", photo, np.full_like(mask, IGNORED))
    document = evaluated(instyle, data, weights)
    assert document["mean_iou"] is document["boundary_f"] is None
    done = instyle("fcn8s", "evaluate", "--data", data, "--weights", weights)
    assert done.status == 0, done.err


def test_the_table(instyle: Command, voc: Path, weights: Path) -> None:
    document = evaluated(instyle, voc, weights)
    done = instyle("fcn8s", "evaluate", "--data", voc, "--weights", weights)
    assert done.status == 0, done.err
    assert done.err == ""
    lines = done.out.splitlines()
    assert lines[0].strip() == "net.safetensors on 3 photos of val"
    for name in CLASSES:
        (line,) = (line for line in lines if f" {name} " in line)
        assert f"{document['iou'][name]:.4f}" in line
        assert f"{document['accuracy'][name]:.4f}" in line
        if name != "background":
            assert f"{document['boundary_f_by_class'][name]:.4f}" in line
    for title, key in (
        ("pixel accuracy", "pixel_accuracy"),
        ("mean pixel accuracy", "mean_accuracy"),
        ("mean IoU", "mean_iou"),
        ("frequency-weighted IoU", "weighted_iou"),
        ("mean boundary F", "boundary_f"),
    ):
        assert f"{title}  {document[key]:.4f}" in [line.strip() for line in lines]


# --- overlays -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "ranks"),
    [
        (1, {"best-01": 0, "worst-01": 2}),
        (2, {"best-01": 0, "best-02": 1, "worst-01": 2}),
        (3, {"best-01": 0, "best-02": 1, "best-03": 2}),
        (8, {"best-01": 0, "best-02": 1, "best-03": 2}),
    ],
)
def test_overlays_of_the_best_and_the_worst(
    instyle: Command, voc: Path, weights: Path, tmp_path: Path, count: int, ranks: dict[str, int]
) -> None:
    """No photo is shown twice."""
    folder = tmp_path / "a" / "b"
    document = evaluated(instyle, voc, weights, "-o", folder, "--count", str(count))
    names = sorted(document["each"], key=lambda name: -document["each"][name])
    expected = {f"{place}-{names[rank]}.png" for place, rank in ranks.items()}
    assert {path.name for path in folder.iterdir()} == expected


def test_two_of_each(instyle: Command, tmp_path: Path, weights: Path) -> None:
    data = write_voc(tmp_path / "data", train=0, val=5)
    document = evaluated(instyle, data, weights, "-o", tmp_path / "out", "--count", "2")
    names = sorted(document["each"], key=lambda name: -document["each"][name])
    places = {"best-01": names[0], "best-02": names[1], "worst-01": names[4], "worst-02": names[3]}
    actual = {path.name for path in (tmp_path / "out").iterdir()}
    assert actual == {f"{place}-{name}.png" for place, name in places.items()}


def halves(path: Path, height: int, width: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """What was found, and what is there."""
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    if height > width:
        assert picture.shape == (height, 2 * width, 3)
        return picture[:, :width], picture[:, width:]
    assert picture.shape == (2 * height, width, 3)
    return picture[:height], picture[height:]


def test_what_overlays_show(instyle: Command, voc: Path, weights: Path, tmp_path: Path) -> None:
    """Tall photos side by side, others one above the other; classes are tinted, rims whitened."""
    evaluated(instyle, voc, weights, "-o", tmp_path, "--count", "3", "--no-mirror")
    segmenter = FCN8s(FCN8sParams(weights=weights, mirror=False))
    photos = open_voc(voc, "val")
    for name, (photo, mask) in zip(photos.names, photos, strict=True):
        (path,) = tmp_path.glob(f"*-{name}.png")
        found, there = halves(path, *mask.shape)
        plain = photo.permute(1, 2, 0).numpy()
        labels = renumbering(CLASSES)[mask.long()].numpy()
        segmented = segmenter.segment(photo / 255, Prompt()).probabilities.argmax(dim=0).numpy()
        white = 0.45 * plain[labels == IGNORED] + 0.55 * 255
        assert abs(there[labels == IGNORED] - white).max() <= 1
        tints = []
        for picture, numbers in ((found, segmented), (there, labels)):
            assert np.array_equal(picture[numbers == 0], plain[numbers == 0])
            for number in (1, 2):
                part = numbers == number
                if part.any():
                    tint = (picture[part] - 0.45 * plain[part]) / 0.55
                    assert tint.std(axis=0).max() < 1.5  # one color
                    tints.append((number, *(tint.mean(axis=0) / 8).round()))
        assert len({*tints}) == len({number for number, *_ in tints})  # the same in both halves


# --- what can go wrong ----------------------------------------------------------------------------


def test_no_data(instyle: Command, weights: Path, tmp_path: Path) -> None:
    done = instyle("fcn8s", "evaluate", "--data", tmp_path, "--weights", weights)
    assert_error(done, 2, str(tmp_path), "VOCdevkit/VOC2012")


def test_weights_of_classes_that_voc_does_not_have(
    instyle: Command, voc: Path, tmp_path: Path
) -> None:
    path = tmp_path / "zoo.safetensors"
    checkpoint.save(path, FCN(("background", "giraffe"), encoder="tu-test_efficientnet"))
    done = instyle("fcn8s", "evaluate", "--data", voc, "--weights", path)
    assert_error(done, 2, "'giraffe' is no class of VOC")


@pytest.mark.parametrize("size", ["31", "8193"])
def test_a_size_out_of_range(instyle: Command, voc: Path, weights: Path, size: str) -> None:
    done = instyle("fcn8s", "evaluate", "--data", voc, "--weights", weights, "--size", size)
    assert done.status == 2
    assert "32<=x<=8192" in done.err
