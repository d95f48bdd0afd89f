"""Networks of segmentation-models-pytorch with random weights, and what they compute, by hand."""

from __future__ import annotations

from typing import Any

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from instyle_segmenters.params import SmpParams
from instyle_segmenters.smp_model import Smp

NAMES = ["background", "cat", "dog"]


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network(
    architecture: str = "unet", encoder: str = "mobilenet_v2", classes: int = 3, **options: Any
) -> nn.Module:
    """A network with random weights that tells its classes apart."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = smp.create_model(architecture, encoder, None, 3, classes, **options)
        with torch.no_grad():
            for name, tensor in made.state_dict().items():
                if name.startswith("segmentation_head") and tensor.ndim == 4:
                    tensor.mul_(5)
    return made.eval()


def segmenter(**params: Any) -> Smp:
    return Smp(SmpParams.model_validate(params))


def by_hand(made: nn.Module, image: Tensor, height: int, width: int) -> Tensor:
    """Scores of a picture that is filled up to (height, width) by its last pixels."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    rows = torch.arange(height).clamp(max=image.shape[1] - 1)
    columns = torch.arange(width).clamp(max=image.shape[2] - 1)
    filled = ((image - mean) / std)[:, rows][:, :, columns]
    with torch.no_grad():
        return made(filled[None])[0, :, : image.shape[1], : image.shape[2]]
