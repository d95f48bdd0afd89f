"""Training an `FCN`, by Lightning."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import (
    Callback,
    EMAWeightAveraging,
    ModelCheckpoint,
    RichProgressBar,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchmetrics.classification import MulticlassConfusionMatrix

from instyle_core import InputError, InstyleError, atomic_write
from instyle_fcn8s.augment import Augmented, Shuffled
from instyle_fcn8s.metrics import Figures
from instyle_fcn8s.network import FCN
from instyle_fcn8s.recipes import Recipe
from instyle_fcn8s.voc import IGNORED, renumbering

_Photos = Dataset[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Hardware:
    """Where to train; the fields are Lightning's.

    Attributes:
        accelerator: ``auto``, ``cpu``, ``gpu``, ``mps`` ...
        devices: how many on each machine, or ``auto``.
        nodes: how many machines.
        strategy: ``auto``, ``ddp``, ``ddp_spawn`` ...
        workers: processes that prepare photos, for each device.
        compile: whether torch.compile makes the network faster; it takes a C++ compiler.
    """

    accelerator: str = "auto"
    devices: str = "auto"
    nodes: int = 1
    strategy: str = "auto"
    workers: int = 2
    compile: bool = False


class Interrupted(InstyleError):
    """The user stopped the training."""

    exit_status = 130


def fit(
    network: FCN,
    train: _Photos,
    val: _Photos,
    recipe: Recipe,
    hardware: Hardware,
    folder: Path,
    *,
    seed: int,
    resume: bool,
    bar: bool,
) -> None:
    """Train a network, and give it the weights that were best on the validation photos.

    The folder gets ``checkpoints/last.ckpt`` after every epoch, ``checkpoints/best.ckpt`` whenever
    the mean IoU of the validation photos has risen, and logs for people (CSV) and for TensorBoard.

    Args:
        network: to be trained, in place.
        train: photos uint8 (3, H, W) with masks of VOC's labels, uint8 (H, W).
        val: the same, to choose the best epoch by.
        recipe: how to train.
        hardware: where to train.
        folder: where checkpoints and logs go.
        seed: of order and augmentation.
        resume: whether to go on from ``last.ckpt``. The result is the same as without a break (on a
            CPU; not all GPU kernels are deterministic).
        bar: whether to show a progress bar.

    Raises:
        InputError: there are fewer photos than one batch on each device takes.
        Interrupted: by Ctrl-C; the checkpoints of finished epochs are there.
    """
    checkpoints = folder / "checkpoints"
    last, best = checkpoints / "last.ckpt", checkpoints / "best.ckpt"
    keep: list[Callback] = [
        ModelCheckpoint(
            checkpoints,
            filename="best",
            monitor="val/mean_iou",
            mode="max",
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        ),
        # Not Lightning's `save_last`, which goes with the best one. And not within an epoch: a
        # training that is resumed from there would not get the same result.
        ModelCheckpoint(
            checkpoints,
            filename="last",
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        ),
    ]
    if recipe.average:
        keep.insert(0, EMAWeightAveraging(decay=recipe.average))
    # This silences the list of devices, and advertisements for services.
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    trainer = L.Trainer(
        accelerator=hardware.accelerator,
        devices=hardware.devices,
        num_nodes=hardware.nodes,
        strategy=hardware.strategy,
        precision=recipe.precision,  # type: ignore[arg-type]
        plugins=[_AtomicCheckpoints()],
        max_epochs=recipe.epochs,
        callbacks=[*keep, RichProgressBar(leave=True) if bar else _Lines()],
        logger=[CSVLogger(folder, "logs"), TensorBoardLogger(folder, "tensorboard")],
        enable_progress_bar=bar,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # `_Data` shares out the photos
    )
    if not _batches(len(train), trainer.world_size, recipe):  # type: ignore[arg-type]
        raise InputError(
            f"{trainer.world_size} times a batch of {recipe.batch} is more than the photos",
            where="--batch",
            hint="lower --batch, --devices or --nodes",
        )
    data = _Data(train, val, recipe, network.classes, seed, hardware.workers)
    module = _Module(network, recipe, len(train))  # type: ignore[arg-type]
    if trainer.strategy.root_device.type == "cpu" and recipe.precision.endswith("mixed"):
        _depthwise_in_float32(network)
    if hardware.compile:
        network.compile(dynamic=False)
    try:
        trainer.fit(module, data, ckpt_path=last if resume else None, weights_only=True)
    except SystemExit as error:  # Lightning raises it on Ctrl-C
        raise Interrupted(
            "interrupted",
            where=str(folder),
            hint="go on with the last full epoch by --resume" if last.is_file() else None,
        ) from error
    trainer.strategy.barrier()
    state = torch.load(best, map_location="cpu", weights_only=True)["state_dict"]
    prefix = "network."
    network.load_state_dict(
        {name.removeprefix(prefix): value for name, value in state.items() if prefix in name}
    )


class _Module(L.LightningModule):
    """A training step, a validation step, and the optimizer of a recipe.

    It is copied for the moving average, so it must not refer to the data or the trainer.
    """

    def __init__(self, network: FCN, recipe: Recipe, photos: int) -> None:
        super().__init__()
        self.network = network
        self._photos = photos
        self._recipe = recipe
        self._confusion = MulticlassConfusionMatrix(len(network.classes), ignore_index=IGNORED)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        photos, labels = batch
        scores = self.network(_prepared(photos, self.network.mean.dtype)).float()
        loss = F.cross_entropy(scores, labels, ignore_index=IGNORED)
        self.log("train/loss", loss, prog_bar=True)
        self.log("train/learning_rate", self.optimizers().param_groups[0]["lr"])  # type: ignore[union-attr]
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        photos, labels = batch
        # `forward`, because a compiled network would be compiled again for each size of photo.
        scores = self.network.forward(_prepared(photos, self.network.mean.dtype))
        self._confusion.update(scores.argmax(dim=1), labels)

    def on_validation_epoch_end(self) -> None:
        figures = Figures.of(self._confusion.compute().cpu().numpy(), self.network.classes)
        self._confusion.reset()
        self.log("val/mean_iou", figures.mean_iou, prog_bar=True)
        self.log("val/pixel_accuracy", figures.pixel_accuracy, prog_bar=True)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Lightning forgets the best checkpoint if the folder has been moved.
        for state in checkpoint["callbacks"].values():
            if "dirpath" in state:
                state["dirpath"] = self.trainer.checkpoint_callback.dirpath  # type: ignore[union-attr]

    def configure_optimizers(self) -> Any:
        recipe = self._recipe
        optimizer = torch.optim.SGD(
            self.network.parameters(),
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        if recipe.schedule == "constant":
            return optimizer
        # Lightning's estimate of the steps starts the loader before the epoch is known.
        steps = recipe.epochs * _batches(self._photos, self.trainer.world_size, recipe)
        schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, steps, power=0.9)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _prepared(photos: Tensor, dtype: torch.dtype) -> Tensor:
    """Convert uint8 to [0, 1], channels last, which is the fastest memory format here."""
    return (photos.to(dtype) / 255).contiguous(memory_format=torch.channels_last)


class _Data(L.LightningDataModule):
    """Shares out the photos among the processes of a training."""

    def __init__(
        self,
        train: _Photos,
        val: _Photos,
        recipe: Recipe,
        classes: Sequence[str],
        seed: int,
        workers: int,
    ) -> None:
        super().__init__()
        numbers = renumbering(classes)
        self._train = Augmented(train, recipe, numbers, seed)
        self._val = _Labeled(val, numbers)
        self._recipe = recipe
        self._seed = seed
        self._workers = workers

    def train_dataloader(self) -> DataLoader[Any]:
        trainer = self.trainer
        assert trainer is not None
        batches = _batches(len(self._train), trainer.world_size, self._recipe)
        order = Shuffled(
            self._train,
            self._seed,
            trainer.world_size,
            trainer.global_rank,
            lambda: trainer.global_step // batches,
        )
        return DataLoader(
            self._train,
            self._recipe.batch,
            sampler=order,
            drop_last=True,
            num_workers=self._workers,
            pin_memory=torch.cuda.is_available(),
        )

    def val_dataloader(self) -> DataLoader[Any]:
        assert self.trainer is not None
        # Whole photos, each of its own size, and none twice: scores must not depend on the number
        # of processes.
        mine = range(self.trainer.global_rank, len(self._val), self.trainer.world_size)
        return DataLoader(self._val, sampler=mine, num_workers=self._workers)


def _batches(photos: int, processes: int, recipe: Recipe) -> int:
    """The number of batches in an epoch, for each process."""
    return photos // processes // recipe.batch


class _Labeled(Dataset[tuple[Tensor, Tensor]]):
    """Whole photos with the network's labels."""

    def __init__(self, photos: _Photos, numbers: Tensor) -> None:
        self._photos = photos
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._photos)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        photo, mask = self._photos[index]
        return photo, self._numbers[mask.long()].long()


class _AtomicCheckpoints(TorchCheckpointIO):
    """Writes checkpoints whole or not at all: a kill leaves the earlier one."""

    def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
        with atomic_write(Path(path)) as part:
            super().save_checkpoint(checkpoint, part, storage_options)


class _Lines(Callback):
    """Prints a line for each epoch, where there is no terminal for a progress bar."""

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_global_zero:
            seen = {name: float(value) for name, value in trainer.callback_metrics.items()}
            figures = "  ".join(f"{name} {value:.4f}" for name, value in sorted(seen.items()))
            print(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {figures}", flush=True)


def _depthwise_in_float32(network: nn.Module) -> None:
    """Let a CPU compute depthwise convolutions in float32 under automatic mixed precision.

    Their gradient in bfloat16 is up to 7 times slower there than in float32 (torch 2.15, AVX-512),
    and takes most of the time of an EfficientNet's step.
    """

    def in_float32(convolution: Any, features: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return convolution(features.float()).to(features.dtype)

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and 1 < layer.groups == layer.in_channels:
            layer.forward = partial(in_float32, layer.forward)  # type: ignore[method-assign]
