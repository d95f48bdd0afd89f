"""Training in this process: it learns, by the schedule and the average that the recipe says."""

from __future__ import annotations

import copy
import csv
import signal
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from instyle_core import InputError
from instyle_training import training
from instyle_training.augment import Augmented, Crops
from instyle_training.recipe import Recipe
from instyle_training.training import Hardware, Interrupted, fit
from instyle_training.voc import Photos, open_voc
from tests.plugins.instyle_training.shapes import write_voc
from tests.plugins.instyle_training.small import (
    PLAIN,
    RICH,
    SmallLearner,
    SmallNetwork,
    overlap,
    small_network,
)

CPU = Hardware("cpu", "1", workers=0)
STEPS = 6 * 16 // 4

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc(tmp_path_factory.mktemp("voc"), train=16, val=4)


def train(
    voc: Path, folder: Path, recipe: Recipe, *, resume: bool = False, bar: bool = False
) -> SmallNetwork:
    result = small_network()
    photos = Augmented(open_voc(voc, "train"), Crops(recipe), seed=0)
    how: dict[str, Any] = {"monitor": "val/iou", "seed": 0, "resume": resume, "bar": bar}
    learner = SmallLearner(result, recipe)
    fit(learner, photos, open_voc(voc, "val"), recipe, CPU, folder, **how)
    return result


def clone(state: State) -> State:
    return {name: value.clone() for name, value in state.items()}


@dataclass
class Seen:
    """What went on at each step."""

    rates: list[float] = field(default_factory=list)
    weights: list[State] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    crops: list[bytes] = field(default_factory=list)
    optimizer: Any = None

    def callback(self) -> type[L.Callback]:
        seen = self

        class Watch(training._Lines):
            def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
                seen.optimizer = trainer.optimizers[0]
                seen.rates.append(seen.optimizer.param_groups[0]["lr"])

            def on_train_batch_end(
                self, trainer: Any, module: Any, outputs: Any, batch: Any, *_: Any
            ) -> None:
                seen.losses.append(float(outputs["loss"]))
                seen.crops += [photo.numpy().tobytes() for photo in batch[0]]
                seen.weights.append(clone(module.network.state_dict()))

        return Watch


@pytest.fixture(scope="module")
def trained(voc: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallNetwork, Seen, Path]:
    """A training of 24 steps, watched."""
    seen, folder = Seen(), tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_Lines", seen.callback())
        return train(voc, folder, RICH), seen, folder


def checkpoint(folder: Path, name: str) -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def figures(folder: Path) -> list[dict[str, float]]:
    """The rows of the log that tell about validation."""
    (path,) = folder.glob("logs/*/metrics.csv")
    rows = [*csv.DictReader(path.open(encoding="utf-8"))]
    return [
        {name: float(value) for name, value in row.items() if value}
        for row in rows
        if row["val/iou"]
    ]


def own(state: State) -> State:
    """The network's weights in a checkpoint."""
    return {name.removeprefix("network."): t for name, t in state.items() if "network." in name}


# --- what comes out -------------------------------------------------------------------------------


def iou(network: SmallNetwork, voc: Path) -> float:
    """Of all objects, photo by photo."""
    pairs = []
    for photo, mask in open_voc(voc, "val"):
        with torch.no_grad():
            pairs.append(overlap(network.eval()(photo[None] / 255)[0] > 0, mask))
    both, either = map(sum, zip(*pairs, strict=True))
    return both / either


def test_it_learns(voc: Path, trained: tuple[SmallNetwork, Seen, Path]) -> None:
    result, seen, _ = trained
    assert len(seen.losses) == STEPS
    assert sum(seen.losses[-4:]) < sum(seen.losses[:4]) / 2
    assert iou(result, voc) > 0.7


def test_the_best_weights_are_kept(voc: Path, trained: tuple[SmallNetwork, Seen, Path]) -> None:
    """Not those of the last epoch; and validation is by whole photos."""
    result, _, folder = trained
    rows = figures(folder)
    assert len(rows) == RICH.epochs
    assert iou(result, voc) == pytest.approx(max(row["val/iou"] for row in rows), abs=1e-3)
    state = own(checkpoint(folder, "best")["state_dict"])
    assert state.keys() == result.state_dict().keys()
    for name, value in result.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_what_a_folder_holds(trained: tuple[SmallNetwork, Seen, Path]) -> None:
    _, _, folder = trained
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert [*folder.glob("tensorboard/*/events.*")]
    assert checkpoint(folder, "last")["epoch"] == RICH.epochs - 1
    assert checkpoint(folder, "last")["global_step"] == STEPS


# --- the steps ------------------------------------------------------------------------------------


def test_the_learning_rate_falls_as_poly_says(trained: tuple[SmallNetwork, Seen, Path]) -> None:
    _, seen, _ = trained
    expected = [0.1 * (1 - step / STEPS) ** 0.9 for step in range(STEPS)]
    assert seen.rates == pytest.approx(expected, rel=1e-6)


def test_the_optimizer_that_is_used(trained: tuple[SmallNetwork, Seen, Path]) -> None:
    result, seen, _ = trained
    assert isinstance(seen.optimizer, torch.optim.SGD)
    (group,) = seen.optimizer.param_groups
    assert (group["momentum"], group["weight_decay"], group["nesterov"]) == (0.9, 1e-4, False)
    assert len(group["params"]) == len([*result.parameters()])


def test_the_average_of_the_weights(trained: tuple[SmallNetwork, Seen, Path]) -> None:
    """a_1 = w_1, a_n = d a_(n-1) + (1 - d) w_n, of weights and of batch statistics."""
    _, seen, folder = trained
    last = checkpoint(folder, "last")
    average, current = own(last["state_dict"]), own(last["current_model_state"])
    compared = 0
    for name, value in seen.weights[-1].items():
        assert torch.equal(current[name], value), name
        if not value.is_floating_point():
            continue
        expected = seen.weights[0][name].double()
        for weights in seen.weights[1:]:
            expected = 0.5 * expected + 0.5 * weights[name].double()
        torch.testing.assert_close(average[name].double(), expected, atol=1e-6, rtol=1e-5)
        compared += not torch.equal(average[name], value)
    assert compared > 40


def test_a_plain_recipe(voc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its optimizer and its rate at every step; there is no average."""
    seen = Seen()
    monkeypatch.setattr(training, "_Lines", seen.callback())
    train(voc, tmp_path, PLAIN)
    assert seen.rates == [1e-2] * 4
    assert type(seen.optimizer) is torch.optim.SGD
    (group,) = seen.optimizer.param_groups
    assert (group["momentum"], group["weight_decay"]) == (0, 1e-4)
    last = checkpoint(tmp_path, "last")
    assert "current_model_state" not in last
    for name, value in own(last["state_dict"]).items():
        assert torch.equal(value, seen.weights[-1][name]), name


def test_every_epoch_brings_other_crops(trained: tuple[SmallNetwork, Seen, Path]) -> None:
    _, seen, _ = trained
    assert len({*seen.crops}) == len(seen.crops) == STEPS * 4


class Counted(Dataset[tuple[Tensor, Tensor]]):
    """Photos that count how often each is read."""

    def __init__(self, photos: Photos) -> None:
        self.photos = photos
        self.reads: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        self.reads[index] += 1
        return self.photos[index]


def test_every_photo_is_seen_once_an_epoch(voc: Path, tmp_path: Path) -> None:
    parts = [Counted(open_voc(voc, split)) for split in ("train", "val")]
    recipe = replace(RICH, epochs=3)
    photos = Augmented(parts[0], Crops(recipe), seed=0)
    how: dict[str, Any] = {"monitor": "val/iou", "seed": 0, "resume": False, "bar": False}
    learner = SmallLearner(small_network(), recipe)
    fit(learner, photos, parts[1], recipe, CPU, tmp_path, **how)
    assert parts[0].reads == dict.fromkeys(range(16), 3)
    assert parts[1].reads == dict.fromkeys(range(4), 3)


# --- going on -------------------------------------------------------------------------------------


def test_what_was_best_is_known_in_a_folder_that_was_moved(voc: Path, tmp_path: Path) -> None:
    """The first two epochs are made to look better than any later one can be.

    And it is the last one that is gone on with: all but the weights of the best one are taken away.
    """
    recipe = replace(RICH, epochs=2)
    train(voc, tmp_path / "old", recipe)
    folder = (tmp_path / "old").rename(tmp_path / "new")
    path = folder / "checkpoints" / "last.ckpt"
    state = torch.load(path, weights_only=True)
    (best,) = (s for s in state["callbacks"].values() if s.get("monitor") == "val/iou")
    best["best_model_score"] = best["kth_value"] = torch.tensor(2.0)
    best["best_k_models"] = {name: torch.tensor(2.0) for name in best["best_k_models"]}
    torch.save(state, path)
    best_weights = {"state_dict": checkpoint(folder, "best")["state_dict"]}
    torch.save(best_weights, folder / "checkpoints" / "best.ckpt")
    before = (folder / "checkpoints" / "best.ckpt").read_bytes()
    result = train(voc, folder, replace(recipe, epochs=3), resume=True)
    assert (folder / "checkpoints" / "best.ckpt").read_bytes() == before
    assert checkpoint(folder, "last")["epoch"] == 2
    for name, value in own(checkpoint(folder, "best")["state_dict"]).items():
        assert torch.equal(result.state_dict()[name], value), name


# --- mixed precision ------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_other_precisions(voc: Path, tmp_path: Path, precision: str) -> None:
    """With a progress bar, which there is only on a terminal elsewhere."""
    recipe = replace(RICH, epochs=2, precision=precision)
    result = train(voc, tmp_path, recipe, bar=True)
    rows = figures(tmp_path)
    assert len(rows) == 2
    assert rows[-1]["val/iou"] > 0.2
    dtype = torch.float32 if precision == "bf16-mixed" else torch.bfloat16
    assert {weight.dtype for weight in result.parameters()} == {dtype}


def gradients(network: nn.Module, images: Tensor) -> Tensor:
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        scores = network(images)
    target = (images[:, 0] > 0.5).float()
    torch.nn.functional.binary_cross_entropy_with_logits(scores.float(), target).backward()
    return torch.cat([weight.grad.flatten() for weight in network.parameters()])


def test_depthwise_convolutions_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are computed in float32, and come to the same up to what bfloat16 cannot tell apart."""
    plain = small_network()
    patched = copy.deepcopy(plain)
    training._depthwise_in_float32(patched)
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    computed: dict[bool, set[tuple[torch.dtype, bool]]] = {True: set(), False: set()}
    convolve = nn.Conv2d._conv_forward

    def watched(layer: nn.Conv2d, features: Tensor, *weights: Any) -> Tensor:
        depthwise = layer.groups == layer.in_channels > 1
        computed[depthwise].add((features.dtype, torch.is_autocast_enabled("cpu")))
        return convolve(layer, features, *weights)

    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        rough = plain(images).float()
        with monkeypatch.context() as patch:
            patch.setattr(nn.Conv2d, "_conv_forward", watched)
            actual = patched(images).float()
    assert computed[True] == {(torch.float32, False)}
    assert {autocast for _, autocast in computed[False]} == {True}
    with torch.no_grad():
        exact = plain(images)
    assert 0 < (actual - rough).norm() < 0.05 * rough.norm()
    assert (actual - exact).norm() < 0.05 * exact.norm()
    ours, theirs = gradients(patched, images), gradients(plain, images)
    assert 0 < (ours - theirs).norm() < 0.1 * theirs.norm()
    with torch.no_grad():  # without autocast, nothing changes at all
        assert torch.equal(patched(images), plain(images))


def test_patched_layers_can_be_copied() -> None:
    """As the moving average does: the copy's layers use the copy's weights."""
    first = small_network()
    training._depthwise_in_float32(first)
    second = copy.deepcopy(first)
    with torch.no_grad():
        for weight in second.parameters():
            weight.zero_()
        images = torch.rand(1, 3, 64, 64)
        assert second.eval()(images).abs().max() == 0
        assert first.eval()(images).abs().max() > 0


# --- what can go wrong ----------------------------------------------------------------------------


def test_more_devices_than_batches(voc: Path, tmp_path: Path) -> None:
    recipe = replace(RICH, batch=17)
    with pytest.raises(InputError, match="a batch of 17 is more than the photos") as caught:
        train(voc, tmp_path, recipe)
    assert "--batch" in str(caught.value.hint)


def test_a_failed_write_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    checkpoints = training._AtomicCheckpoints()
    checkpoints.save_checkpoint({"epoch": 1}, path)

    def half(checkpoint: Any, path: Any, *_: Any) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lightning.fabric.plugins.io.torch_io._atomic_save", half)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save_checkpoint({"epoch": 2}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}


@pytest.mark.parametrize(("at", "hint"), [(0, None), (6, "--resume")])
def test_an_interruption(
    voc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, hint: str | None
) -> None:
    class Stop(training._Lines):
        def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step == at:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training, "_Lines", Stop)
    with pytest.raises(Interrupted) as caught:
        train(voc, tmp_path, RICH)
    assert caught.value.exit_status == 130
    assert caught.value.where == str(tmp_path)
    assert (hint in str(caught.value.hint)) if hint else caught.value.hint is None
    assert (tmp_path / "checkpoints" / "last.ckpt").is_file() == bool(hint)
