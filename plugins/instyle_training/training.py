"""Training a network, by Lightning."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import logging
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
from torch.utils.data import DataLoader, Dataset

from instyle_core import InputError, InstyleError, atomic_write
from instyle_training.augment import Shuffled
from instyle_training.learner import Learner
from instyle_training.recipe import Recipe


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
    learner: Learner,
    train: Dataset[Any],
    val: Dataset[Any],
    recipe: Recipe,
    hardware: Hardware,
    folder: Path,
    *,
    monitor: str,
    seed: int,
    resume: bool,
    bar: bool,
) -> None:
    """Train a network, and give it the weights that were best on the validation photos.

    The folder gets ``checkpoints/last.ckpt`` after every epoch, ``checkpoints/best.ckpt`` whenever
    the score of the validation photos has risen, and logs for people (CSV) and for TensorBoard.

    Args:
        learner: what trains; its network is changed in place.
        train: items by the numbers that `Shuffled` draws, as `Augmented` has them; batches are
            made of `recipe.batch` of them.
        val: whole photos, one a batch, each seen once an epoch.
        recipe: how to train.
        hardware: where to train.
        folder: where checkpoints and logs go.
        monitor: the name of the score that the learner logs; the highest is the best.
        seed: of the order.
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
            monitor=monitor,
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
    if not _batches(train, trainer.world_size, recipe):
        raise InputError(
            f"{trainer.world_size} times a batch of {recipe.batch} is more than the photos",
            where="--batch",
            hint="lower --batch, --devices or --nodes",
        )
    data = _Data(train, val, recipe, seed, hardware.workers)
    network = learner.network
    if trainer.strategy.root_device.type == "cpu" and recipe.precision.endswith("mixed"):
        _depthwise_in_float32(network)
    if hardware.compile:
        network.compile(dynamic=False)
    try:
        trainer.fit(learner, data, ckpt_path=last if resume else None, weights_only=True)
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
        {
            name.removeprefix(prefix): value
            for name, value in state.items()
            if name.startswith(prefix)
        }
    )


class _Data(L.LightningDataModule):
    """Shares out the photos among the processes of a training."""

    def __init__(
        self, train: Dataset[Any], val: Dataset[Any], recipe: Recipe, seed: int, workers: int
    ) -> None:
        super().__init__()
        self._train = train
        self._val = val
        self._recipe = recipe
        self._seed = seed
        self._workers = workers

    @property
    def batches(self) -> int:
        """The number of batches in an epoch, for each process."""
        assert self.trainer is not None
        return _batches(self._train, self.trainer.world_size, self._recipe)

    def train_dataloader(self) -> DataLoader[Any]:
        trainer = self.trainer
        assert trainer is not None
        batches = self.batches
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
        count = len(self._val)  # type: ignore[arg-type]
        mine = range(self.trainer.global_rank, count, self.trainer.world_size)
        return DataLoader(self._val, sampler=mine, num_workers=self._workers)


def _batches(photos: Dataset[Any], processes: int, recipe: Recipe) -> int:
    return len(photos) // processes // recipe.batch  # type: ignore[arg-type]


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
