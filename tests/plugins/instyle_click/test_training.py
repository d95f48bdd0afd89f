"""The steps of a training: what is learned, what stays, and the loss."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import log_loss
from torch import Tensor

from instyle_click.clicks import Clicks
from instyle_click.evaluation import evaluate, summary
from instyle_click.network import ClickNet
from instyle_click.recipes import RECIPE
from instyle_click.training import MONITOR, ClickLearner, Examples, FirstClicks, _clicked, loss_of
from instyle_training.augment import Augmented
from instyle_training.learner import prepared
from instyle_training.recipe import Recipe
from instyle_training.training import Hardware, fit
from instyle_training.voc import Photos, open_voc
from tests.plugins.instyle_training.shapes import IGNORED, scene, write_photo, write_voc

TINY = "tu-test_efficientnet"
SHORT = replace(
    RECIPE,
    epochs=8,
    batch=8,
    learning_rate=1e-2,
    crop=64,
    color=0.1,
    average=0.8,
    precision="32-true",
)


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc(tmp_path_factory.mktemp("voc"), train=32, val=6)


def network() -> ClickNet:
    torch.manual_seed(0)
    return ClickNet(encoder=TINY)


def train(voc: Path, folder: Path, recipe: Recipe) -> ClickNet:
    result = network()
    fit(
        ClickLearner(result, recipe),
        Augmented(open_voc(voc, "train"), Examples(recipe), 0),
        FirstClicks(open_voc(voc, "val")),
        recipe,
        Hardware("cpu", "1", workers=0),
        folder,
        monitor=MONITOR,
        seed=0,
        resume=False,
        bar=False,
    )
    return result.eval()


def scores(folder: Path) -> list[float]:
    """The mean IoU after one click, for each epoch."""
    (path,) = folder.glob("logs/*/metrics.csv")
    rows = [*csv.DictReader(path.open(encoding="utf-8"))]
    return [float(row[MONITOR]) for row in rows if row[MONITOR]]


def first_ious(found_by: ClickNet, photos: Photos) -> list[float]:
    """The IoU of the largest object of each photo after one click in its middle, once more."""
    ious = []
    for photo, mask in photos:
        labels = mask.numpy()
        sizes = {label: (labels == label).sum() for label in np.unique(labels) if 0 < label < 255}
        truth = labels == max(sizes, key=lambda label: sizes[label])
        depth = ndimage.distance_transform_edt(np.pad(truth, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(int((depth > depth.max() - 1e-6).argmax()), depth.shape)
        y, x = np.indices(truth.shape)
        maps = np.zeros((1, 4, *truth.shape), np.float32)
        maps[0, 0] = np.hypot(x - column, y - row) <= 5
        with torch.no_grad():
            logits = found_by(photo[None] / 255, torch.from_numpy(maps))[0, 0]
        found = (logits > 0).numpy() & (labels != IGNORED)
        ious.append(float((found & truth).sum() / (found | truth).sum()))
    return ious


# --- it learns ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(voc: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ClickNet, Path]:
    folder = tmp_path_factory.mktemp("trained")
    return train(voc, folder, SHORT), folder


def test_it_learns(trained: tuple[ClickNet, Path], voc: Path) -> None:
    """To tell the object that was clicked from the other, on photos that it never saw."""
    learned, folder = trained
    ious = first_ious(learned, open_voc(voc, "val"))
    assert np.mean(ious) > 0.7
    assert max(scores(folder)) == pytest.approx(np.mean(ious), abs=1e-4)  # the best epoch is kept
    untrained = first_ious(network().eval(), open_voc(voc, "val"))
    assert np.mean(untrained) < 0.4

    def method(photo: Tensor, clicks: Clicks) -> Tensor:
        maps = np.zeros((1, 4, *photo.shape[1:]), np.float32)
        y, x = np.indices(photo.shape[1:])
        for plane, points in enumerate((clicks.on, clicks.off)):
            for cx, cy in points:
                maps[0, plane][np.hypot(x - cx, y - cy) <= 5] = 1
        with torch.no_grad():
            return learned(photo[None], torch.from_numpy(maps)).sigmoid()[0, 0]

    both = summary(evaluate(method, open_voc(voc, "val"), lambda: None, most=3), 3)
    assert both["objects"] == 12
    assert both["iou"]["1"] > 0.7  # the smaller objects, too: no photo has just one answer


def test_what_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers that see the photo alone, and the statistics of the encoder."""
    monkeypatch.setattr(ClickLearner, "log_loss", lambda *_: None)
    before, learner = network(), ClickLearner(network(), SHORT)
    optimizer = torch.optim.AdamW(learner.parameters(), lr=1e-3, weight_decay=0.1)
    for step in range(3):
        monkeypatch.setattr(ClickLearner, "global_step", step)
        optimizer.zero_grad()
        learner.training_step(examples(2), step).backward()
        optimizer.step()
    looking = {id(weight) for weight in before.looking()}
    old, new = before.state_dict(), learner.network.state_dict()
    for name, weight in before.named_parameters():
        assert torch.equal(old[name], new[name]) == (id(weight) in looking), name
    for name in old:
        if name.startswith("encoder.") and ("running" in name or "num_batches" in name):
            assert torch.equal(old[name], new[name]), name
    assert not torch.equal(old["blocks.0.1.running_mean"], new["blocks.0.1.running_mean"])


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_other_precisions(voc: Path, tmp_path: Path, precision: str) -> None:
    result = train(voc, tmp_path, replace(SHORT, epochs=1, precision=precision))
    assert len(scores(tmp_path)) == 1
    dtype = torch.float32 if precision == "bf16-mixed" else torch.bfloat16
    assert {weight.dtype for weight in result.parameters()} == {dtype}


def test_photos_without_objects_do_not_count(tmp_path: Path) -> None:
    """Neither in the score nor, if none has any, as a failure."""
    data = write_voc(tmp_path / "data", train=8, val=2)
    photo, mask = scene(0)
    write_photo(data, "val_001", photo, np.zeros_like(mask))
    once = replace(SHORT, epochs=1)
    result = train(data, tmp_path / "one", once)
    (score,) = scores(tmp_path / "one")
    assert score == pytest.approx(first_ious(result, open_voc(data, "val").only(["val_000"]))[0])
    write_photo(data, "val_000", photo, np.zeros_like(mask))
    train(data, tmp_path / "none", once)
    assert scores(tmp_path / "none") == [0]


# --- the loss -------------------------------------------------------------------------------------


def test_the_loss() -> None:
    """Cross entropy by scikit-learn and 1 - soft IoU by numpy, each photo by itself."""
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 2, (3, 20, 30))
    seen = draw.choice([0, 1, IGNORED], (3, 20, 30)).astype(np.uint8)
    seen[1, :, 4:] = IGNORED
    seen[2] = 0
    seen[2, 0, 0] = IGNORED
    losses = []
    for scored, labels in zip(logits, seen, strict=True):
        known = labels != IGNORED
        p, t = 1 / (1 + np.exp(-scored[known])), labels[known]
        soft = ((p * t).sum() + 1) / ((p + t - p * t).sum() + 1)
        losses.append(log_loss(t, p, labels=[0, 1]) + 1 - soft)
    actual = loss_of(torch.from_numpy(logits).float(), torch.from_numpy(seen))
    assert actual.item() == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_loss_of_photos_in_which_nothing_counts() -> None:
    logits = torch.randn(2, 5, 5, requires_grad=True)
    loss = loss_of(logits, torch.full((2, 5, 5), IGNORED, dtype=torch.uint8))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rounds before, it is the loss of the network on the clicks that are given."""
    learner = ClickLearner(network(), SHORT)
    logged: list[Tensor] = []
    monkeypatch.setattr(learner, "log_loss", logged.append)
    monkeypatch.setattr("instyle_click.training._ROUNDS", (1.0, 0.0))
    batch = examples(4)
    loss = learner.training_step(batch, 0)
    maps = torch.cat([batch[2], torch.zeros(4, 1, 64, 64)], dim=1)
    again = network()(prepared(batch[0], torch.float32), maps)[:, 0]
    assert loss.item() == pytest.approx(loss_of(again, batch[1]).item(), rel=1e-5)
    assert logged == [loss]
    assert learner.network.training


def test_steps_depend_on_seed_and_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClickLearner, "log_loss", lambda *_: None)

    def losses(seed: int) -> list[float]:
        learner, found = ClickLearner(network(), SHORT, seed), []
        batch = examples(2)
        for step in range(8):
            monkeypatch.setattr(ClickLearner, "global_step", step)
            found.append(learner.training_step(batch, 0).item())
        return found

    first = losses(1)
    torch.rand(9)
    assert losses(1) == first
    assert len({*first}) > 2
    assert losses(2) != first


def test_rounds_before_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mask so far is the answer of the round before, as evaluation would give it."""
    learner = ClickLearner(network(), SHORT)
    monkeypatch.setattr(learner, "log_loss", lambda _: None)
    monkeypatch.setattr("instyle_click.training._ROUNDS", (0.0, 0.0, 1.0))
    monkeypatch.setattr("instyle_click.training._CLICKS", 1.0)
    seen: list[tuple[Tensor, bool]] = []
    decode = learner.network.decode

    def watched(features: Tensor, maps: Tensor) -> Tensor:
        seen.append((maps, learner.network.training))
        assert not features.requires_grad
        return decode(features, maps)

    monkeypatch.setattr(learner.network, "decode", watched)
    photos, labels, points = examples(4)
    learner.training_step((photos, labels, points), 0).backward()
    (first, *modes), (second, _), (third, _) = ((m, t) for m, t in seen)
    assert [training for _, training in seen] == [False, False, True]
    assert modes == [False]
    assert torch.equal(first[:, :3], points)
    assert not first[:, 3].any()
    still = network().eval()
    with torch.no_grad():
        answer = still(prepared(photos, torch.float32), first).sigmoid()
    torch.testing.assert_close(second[:, 3:], answer, atol=1e-5, rtol=1e-4)
    assert torch.equal(second[:, 2], points[:, 2])
    for before, after in ((first, second), (second, third)):
        assert (after[:, :2] >= before[:, :2]).all()
        assert ((after - before)[:, :2].sum(dim=(1, 2, 3)) > 0).any()


def examples(count: int) -> tuple[Tensor, Tensor, Tensor]:
    items = []
    for seed in range(count):
        torch.manual_seed(seed)
        photo, mask = (torch.from_numpy(part) for part in scene(seed))
        items.append(Examples(SHORT)(photo.permute(2, 0, 1), mask))
    photos, seen, maps = (torch.stack(parts) for parts in zip(*items, strict=True))
    return photos, seen, maps


def test_next_clicks() -> None:
    """In the middle of the error, 3 pixels off at most; none where nothing is wrong."""
    seen = torch.zeros(3, 64, 64, dtype=torch.uint8)
    seen[:, 10:31, 20:41] = 1
    found = torch.zeros(3, 1, 64, 64)
    found[1] = seen[1]
    found[2, 0] = seen[2]
    found[2, 0, 40:61, 40:61] = 1
    seen[2, 10:31, 20:41] = IGNORED
    maps = torch.zeros(3, 4, 64, 64)
    places = set()
    for seed in range(30):
        clicked = _clicked(maps, found, seen, np.random.default_rng(seed)).numpy()
        assert not clicked[1].any()
        assert not clicked[:, 2:].any()
        assert not clicked[0, 1].any()
        assert not clicked[2, 0].any()
        for plane, middle in ((clicked[0, 0], (30, 20)), (clicked[2, 1], (50, 50))):
            x, y = center(plane)
            assert abs(x - middle[0]) <= 3
            assert abs(y - middle[1]) <= 3
            places.add((x - middle[0], y - middle[1]))
    assert not maps.any()
    assert len(places) > 20


def center(plane: NDArray[np.float32]) -> tuple[float, float]:
    """The middle of the one disc that is drawn."""
    assert plane.sum() == 81  # the pixels within a radius of 5
    row, column = ndimage.center_of_mass(plane)
    return float(column), float(row)


# --- items ----------------------------------------------------------------------------------------


def test_examples_depend_on_torchs_generator_alone() -> None:
    one, other = examples(2), examples(2)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_first_click_on_whole_photos() -> None:
    photo, mask = scene(4, 60, 80)
    items = FirstClicks([(torch.from_numpy(photo).permute(2, 0, 1), torch.from_numpy(mask))])
    assert len(items) == 1
    pixels, seen, maps = items[0]
    assert torch.equal(pixels, torch.from_numpy(photo).permute(2, 0, 1))
    largest = max((8, 12), key=lambda label: (mask == label).sum())
    assert np.array_equal(seen == 1, mask == largest)
    assert np.array_equal(seen == IGNORED, mask == IGNORED)
    x, y = center(maps[0].numpy())
    depth = ndimage.distance_transform_edt(mask == largest)
    assert depth[int(y), int(x)] == depth.max()
    assert not maps[1:].any()


def test_no_click_on_photos_without_objects() -> None:
    photo, mask = scene(4)
    empty = torch.zeros(mask.shape, dtype=torch.uint8)
    _, seen, maps = FirstClicks([(torch.from_numpy(photo).permute(2, 0, 1), empty)])[0]
    assert (seen == IGNORED).all()
    assert not maps.any()
    assert maps.shape == (3, *mask.shape)
