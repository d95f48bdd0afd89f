"""An evaluation over whole photos, against scikit-learn on all of their pixels."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import Tensor

from instyle_fcn8s.evaluation import Evaluation, evaluate
from instyle_training.boundary import boundary_scores
from instyle_training.voc import Photos, open_voc
from tests.plugins.instyle_training.shapes import CAT, DOG, IGNORED, scene, write_photo, write_voc

CLASSES = ("background", "dog", "cat")
SIZES = ((48, 64), (64, 40), (33, 71))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """Three photos, each of another size; the last one without a cat."""
    root = write_voc(tmp_path_factory.mktemp("voc"), train=0, val=3)
    for seed, size in enumerate(SIZES):
        photo, mask = scene(seed, *size)
        write_photo(root, f"val_{seed:03}", photo, np.where((seed == 2) & (mask == CAT), 0, mask))
    return open_voc(root, "val")


def guess(picture: Tensor) -> Tensor:
    """Labels out of the colors, some of them wrong."""
    assert picture.dtype == torch.float32
    assert 0 <= picture.min() <= picture.max() <= 1
    red, green, _ = picture
    labels = torch.where((red > 0.6) & (green < 0.5), 2, torch.where(green > 0.6, 1, 0))
    generator = torch.Generator().manual_seed(zlib.crc32(str(tuple(picture.shape)).encode()))
    return torch.where(torch.rand(labels.shape, generator=generator) < 0.1, 2, labels)


def truth(mask: Tensor, classes: tuple[str, ...] = CLASSES) -> Tensor:
    names = {"cat": CAT, "dog": DOG}
    labels = torch.zeros_like(mask)
    for number, name in enumerate(classes[1:], start=1):
        labels[mask == names[name]] = number
    labels[mask == IGNORED] = IGNORED
    return labels


def check(result: Evaluation, photos: Photos, classes: tuple[str, ...] = CLASSES) -> None:
    """Everything once more."""
    pairs = [(truth(mask, classes), guess(photo / 255)) for photo, mask in photos]
    y, x = (
        torch.cat([part.flatten() for part in side]).numpy() for side in zip(*pairs, strict=True)
    )
    y, x = y[y != IGNORED], x[y != IGNORED]
    names = dict(enumerate(classes))
    iou = metrics.jaccard_score(y, x, average=None, labels=[*names])
    assert result.figures.iou == pytest.approx(dict(zip(classes, iou, strict=True)))
    assert result.figures.mean_iou == pytest.approx(iou.mean())
    assert result.figures.pixel_accuracy == pytest.approx(metrics.accuracy_score(y, x))
    assert result.figures.mean_accuracy == pytest.approx(metrics.balanced_accuracy_score(y, x))
    assert result.figures.weighted_iou == pytest.approx(
        metrics.jaccard_score(y, x, average="weighted")
    )
    scores = [boundary_scores(t.numpy(), g.byte().numpy(), IGNORED) for t, g in pairs]
    for number, name in list(names.items())[1:]:
        mean = np.mean([score[number] for score in scores if number in score])
        assert result.boundary[name] == pytest.approx(mean)
    assert result.mean_boundary == pytest.approx(np.mean(list(result.boundary.values())))
    single = {}
    for name, (t, g) in zip(photos.names, pairs, strict=True):
        known = t != IGNORED
        seen = sorted({*t[known].tolist(), *g[known].tolist()})
        scored = metrics.jaccard_score(t[known], g[known], average=None, labels=seen)
        single[name] = scored.mean()
    assert result.photos == pytest.approx(single)
    assert list(result.photos.values()) == sorted(result.photos.values(), reverse=True)


def test_one_confusion_matrix_over_whole_photos(photos: Photos) -> None:
    calls: list[None] = []
    result = evaluate(guess, photos, CLASSES, lambda: calls.append(None))
    assert len(calls) == 3
    assert set(result.boundary) == {"dog", "cat"}
    check(result, photos)


def test_a_class_that_the_network_does_not_know_is_background(photos: Photos) -> None:
    def no_cats(picture: Tensor) -> Tensor:
        return guess(picture).clamp(max=1)

    result = evaluate(no_cats, photos, ("background", "dog"), lambda: None)
    labels = [(truth(mask, ("background", "dog")), no_cats(photo / 255)) for photo, mask in photos]
    wrong = sum(int(((t != g) & (t != IGNORED)).sum()) for t, g in labels)
    known = sum(int((t != IGNORED).sum()) for t, _ in labels)
    assert result.figures.pixel_accuracy == pytest.approx(1 - wrong / known)
    assert set(result.figures.iou) == {"background", "dog"}


def test_the_best_first(photos: Photos) -> None:
    """The first photo perfect, the second one empty, the third one half."""
    masks = {tuple(mask.shape): truth(mask).long() for _, mask in photos}

    def segment(picture: Tensor) -> Tensor:
        right = masks[tuple(picture.shape[1:])].clone()
        right[right == IGNORED] = 0
        if picture.shape[1:] == SIZES[1]:
            return torch.zeros_like(right)
        if picture.shape[1:] == SIZES[2]:
            right[::2] = 0
        return right

    result = evaluate(segment, photos, CLASSES, lambda: None)
    assert list(result.photos) == ["val_000", "val_002", "val_001"]
    assert result.photos["val_000"] == 1


def test_a_photo_without_labels(tmp_path: Path) -> None:
    root = write_voc(tmp_path, train=0, val=2)
    photo, mask = scene(0)
    write_photo(root, "val_000", photo, np.full_like(mask, IGNORED))
    both = evaluate(guess, open_voc(root, "val"), CLASSES, lambda: None)
    assert list(both.photos) == ["val_001"]
    write_photo(root, "val_001", photo, np.full_like(mask, IGNORED))
    neither = evaluate(guess, open_voc(root, "val"), CLASSES, lambda: None)
    assert neither.photos == neither.boundary == {}
    summary = neither.summary()
    assert summary["mean_iou"] is summary["boundary_f"] is summary["pixel_accuracy"] is None
    json.dumps(summary, allow_nan=False)


def test_summary(photos: Photos) -> None:
    result = evaluate(guess, photos, CLASSES, lambda: None)
    summary = result.summary()
    assert summary["boundary_f_by_class"] == result.boundary
    assert summary["boundary_f"] == result.mean_boundary
    assert summary["mean_iou"] == result.figures.mean_iou
    assert summary["iou"] == result.figures.iou
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
