"""The steps of an FCN's training: it learns, by labels, and is judged by its mean IoU."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch import Tensor

from instyle_fcn8s.evaluation import Evaluation, evaluate
from instyle_fcn8s.network import FCN
from instyle_fcn8s.recipes import MODERN, PAPER
from instyle_fcn8s.training import MONITOR, FCNLearner, Labeled, LabeledCrops
from instyle_training.augment import Augmented, Crops
from instyle_training.recipe import Recipe
from instyle_training.training import Hardware, fit
from instyle_training.voc import CLASSES as VOC
from instyle_training.voc import IGNORED, open_voc, renumbering
from tests.plugins.instyle_training.shapes import write_voc

CLASSES = ("background", "cat", "dog")
SHORT = replace(
    MODERN,
    epochs=6,
    batch=4,
    learning_rate=0.1,
    crop=48,
    scale=(0.8, 1.25),
    average=0.5,
    precision="32-true",
)


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc(tmp_path_factory.mktemp("voc"), train=16, val=4)


def network() -> FCN:
    torch.manual_seed(0)
    return FCN(CLASSES, encoder="tu-test_efficientnet")


def train(voc: Path, folder: Path, recipe: Recipe) -> FCN:
    result, numbers = network(), renumbering(CLASSES)
    fit(
        FCNLearner(result, recipe),
        Augmented(open_voc(voc, "train"), LabeledCrops(recipe, numbers), 0),
        Labeled(open_voc(voc, "val"), numbers),
        recipe,
        Hardware("cpu", "1", workers=0),
        folder,
        monitor=MONITOR,
        seed=0,
        resume=False,
        bar=False,
    )
    return result


def judged(network: FCN, voc: Path) -> Evaluation:
    def segment(picture: Tensor) -> Tensor:
        with torch.no_grad():
            return network.eval()(picture[None])[0].argmax(dim=0)

    return evaluate(segment, open_voc(voc, "val"), CLASSES, lambda: None)


def rows(folder: Path) -> list[dict[str, str]]:
    """The rows of the log that tell about validation."""
    (path,) = folder.glob("logs/*/metrics.csv")
    return [row for row in csv.DictReader(path.open(encoding="utf-8")) if row["val/mean_iou"]]


def test_it_learns(voc: Path, tmp_path: Path) -> None:
    """And keeps the best epoch; validation is by one confusion matrix over whole photos."""
    found = judged(train(voc, tmp_path, SHORT), voc).figures
    assert found.mean_iou > 0.8
    assert min(found.iou.values()) > 0.7
    best = max(rows(tmp_path), key=lambda row: float(row["val/mean_iou"]))
    assert found.mean_iou == pytest.approx(float(best["val/mean_iou"]), abs=1e-4)
    assert found.pixel_accuracy == pytest.approx(float(best["val/pixel_accuracy"]), abs=1e-4)


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_other_precisions(voc: Path, tmp_path: Path, precision: str) -> None:
    result = train(voc, tmp_path, replace(SHORT, epochs=2, precision=precision))
    assert float(rows(tmp_path)[-1]["val/mean_iou"]) > 0.4
    dtype = torch.float32 if precision == "bf16-mixed" else torch.bfloat16
    assert {weight.dtype for weight in result.parameters()} == {dtype}


def test_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cross entropy of the softmax, the mean over pixels with a label."""
    learner = FCNLearner(network().eval(), PAPER)
    logged: list[Tensor] = []
    monkeypatch.setattr(learner, "log_loss", logged.append)
    draw = torch.Generator().manual_seed(0)
    photos = torch.randint(0, 256, (2, 3, 48, 64), generator=draw, dtype=torch.uint8)
    labels = torch.randint(0, 3, (2, 48, 64), generator=draw)
    labels[:, :9] = IGNORED
    loss = learner.training_step((photos, labels), 0)
    with torch.no_grad():
        likely = learner.network(photos / 255).softmax(dim=1).permute(0, 2, 3, 1).double()
    known = labels != IGNORED
    likely = likely[known] / likely[known].sum(dim=1, keepdim=True)
    expected = log_loss(labels[known].numpy(), likely.numpy(), labels=[0, 1, 2])
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert logged == [loss]


class Stripes(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """A photo whose mask has all classes of VOC, and ignored pixels."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, _: int) -> tuple[Tensor, Tensor]:
        mask = (torch.arange(30 * 30) % 22).view(30, 30).to(torch.uint8)
        mask[mask == 21] = IGNORED
        return torch.zeros(3, 30, 30, dtype=torch.uint8), mask


def test_labels_become_the_networks() -> None:
    numbers = renumbering(CLASSES)
    recipe = replace(PAPER, crop=24, small="pad")
    labels = Augmented(Stripes(), LabeledCrops(recipe, numbers), seed=0)[0][1]
    raw = Augmented(Stripes(), Crops(recipe), seed=0)[0][1]
    whole, mask = Labeled(Stripes(), numbers)[0][1], Stripes()[0][1]
    for ours, theirs in ((labels, raw), (whole, mask)):
        assert ours.dtype == torch.int64
        assert torch.equal(ours == 1, theirs == VOC.index("cat"))
        assert torch.equal(ours == 2, theirs == VOC.index("dog"))
        assert torch.equal(ours == IGNORED, theirs == IGNORED)
        assert np.array_equal(ours.unique(), [0, 1, 2, IGNORED])
