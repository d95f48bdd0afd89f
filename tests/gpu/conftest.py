"""What the tests on a GPU share. They are run by hand, by run.sh, and need nothing outside of here.

INSTYLE_GPU_TESTS_DEVICE=cpu tries them on the processor; those marked `cuda` need a GPU.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import instyle_core
from instyle_core import testing
from instyle_core.config.plan import Plan, load_plan
from instyle_core.device import choose_device
from instyle_core.events import Event, Note, Observer, Step, ignore

#: Each loss that ships with instyle, about as strong as the others.
LOSSES: dict[str, dict[str, Any]] = {
    "content": {"use": "content"},
    "style": {"use": "style", "weight": 10},
    "laplacian": {"use": "laplacian"},
    "tv": {"use": "tv", "weight": 0.02},
    "depth": {"use": "depth", "extractor": "near", "weight": 0.1},
}


def pytest_report_header() -> str:
    return f"instyle of {Path(instyle_core.__file__).parent}, on {_device_name()}"


def _device_name() -> str:
    return os.environ.get("INSTYLE_GPU_TESTS_DEVICE", "cuda")


@pytest.fixture(scope="session")
def device() -> torch.device:
    """Where to compute what is tested."""
    return choose_device(_device_name())


@pytest.fixture(scope="session", autouse=True)
def _no_cache_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTYLE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("INSTYLE_OFFLINE", "1")
        yield


@pytest.fixture(scope="session")
def tf32() -> Callable[[bool], AbstractContextManager[None]]:
    """Let a GPU round the factors of products in float32 to TensorFloat-32, or not."""

    @contextmanager
    def allow(allowed: bool) -> Iterator[None]:
        before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
        torch.set_float32_matmul_precision("high" if allowed else "highest")
        torch.backends.cudnn.allow_tf32 = allowed
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before[0])
            torch.backends.cudnn.allow_tf32 = before[1]

    return allow


@pytest.fixture(scope="session")
def depth_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small DPT with weights of chance, for 64x64 pixels."""
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

    config = DPTConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=48,
        image_size=64,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[16, 16, 32, 32],
        fusion_hidden_size=32,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = DPTForDepthEstimation(config).eval()
        for module in network.modules():  # so that a picture gets through
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=(1.5 / module.weight[0].numel()) ** 0.5)
        *_, last, relu = network.head.head
        assert isinstance(last, nn.Conv2d)
        assert isinstance(relu, nn.ReLU)
        network.head.head[-1] = nn.Identity()
        depth = network(torch.randn(2, 3, 64, 64)).predicted_depth
        last.weight /= depth.std()
        last.bias.fill_(10 - depth.mean() / depth.std())  # clear of the ReLU, as it is loaded again
    folder = tmp_path_factory.mktemp("dpt")
    network.save_pretrained(folder)
    half = [0.5, 0.5, 0.5]
    size = {"height": 64, "width": 64}
    DPTImageProcessor(size=size, image_mean=half, image_std=half).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def grainy() -> Callable[[int, int, int], Tensor]:
    """A picture (3, H, W) by its height, width and seed.

    Its grain keeps the pixels of a cell apart: where they are alike, rounding decides which of them
    is the largest, to which max pooling sends all of the gradient.
    """

    def make(height: int, width: int, seed: int) -> Tensor:
        noise = torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))
        return 0.8 * testing.picture(height, width, seed=seed) + 0.2 * noise

    return make


@dataclass
class Done:
    """What a run came to.

    Attributes:
        picture: the output, (H, W, 3), in levels from 0 to 255.
        painted: where it differs from the photo, (H, W).
        totals: the objective at each step.
        notes: what else was told.
        status: of the result.
    """

    picture: np.ndarray
    painted: np.ndarray
    totals: list[float]
    notes: list[str]
    status: str

    def distance(self, other: Done) -> float:
        """How far two pictures are apart where either is painted: the mean, in levels."""
        return float(np.abs(self.picture - other.picture)[self.painted | other.painted].mean())


class Runs:
    """Runs of one photo with an object in the middle, in a folder."""

    def __init__(self, folder: Path, photo: Tensor, style: Tensor, depth_network: Path) -> None:
        self._folder = folder
        self._depth_network = depth_network
        self._photo = _levels(photo)
        self._height, self._width = photo.shape[1:]
        Image.fromarray(self._photo).save(folder / "photo.png")
        Image.fromarray(_levels(style)).save(folder / "style.png")
        mask = testing.disc(self._height, self._width, radius=0.35).decision
        Image.fromarray(_levels(mask.expand(3, -1, -1))).save(folder / "mask.png")

    def plan(
        self, name: str = "run", losses: str = "content style laplacian tv", **changes: Any
    ) -> Plan:
        """A plan, by the names of its losses and changes to the spec; None leaves a key out."""
        spec = {
            "version": 1,
            "content": "photo.png",
            "style": "style.png",
            "output": f"{name}.png",
            "objects": [{}],
            "segmenter": {"use": "mask", "path": "mask.png"},
            "extractors": {"near": {"use": "midas", "model": str(self._depth_network)}},
            "losses": [LOSSES[loss] for loss in losses.split()],
            "merger": {"use": "feather"},
            "size": max(self._height, self._width),
            **changes,
        }
        if "depth" not in losses:
            del spec["extractors"]
        spec = {key: value for key, value in spec.items() if value is not None}
        path = self._folder / f"{name}.yaml"
        path.write_text(json.dumps(spec), encoding="utf-8")
        return load_plan(path)

    def go(self, plan: Plan, on_event: Observer = ignore, *, resume: bool = False) -> Done:
        from instyle_core.pipeline import run  # here, since not all tests need OpenCV as it does

        totals: list[float] = []
        notes: list[str] = []

        def watch(event: Event) -> None:
            if isinstance(event, Step):
                totals.append(event.total)
            elif isinstance(event, Note):
                notes.append(event.message)
            on_event(event)

        result = run(plan, watch, resume=resume)
        picture = np.asarray(Image.open(result.output).convert("RGB"), np.float32)
        painted = (picture != self._photo).any(axis=2)
        return Done(picture, painted, totals, notes, result.status)


@pytest.fixture
def runs(tmp_path: Path, grainy: Callable[[int, int, int], Tensor], depth_network: Path) -> Runs:
    """Runs at 96x128 pixels."""
    return Runs(tmp_path, grainy(96, 128, 1), grainy(90, 120, 2), depth_network)


def _levels(picture: Tensor) -> np.ndarray:
    return (picture * 255).round().byte().permute(1, 2, 0).numpy()
