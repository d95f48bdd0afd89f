"""How to train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """Everything about a training but its data and its network.

    Attributes:
        epochs: how often each photo is seen.
        batch: photos per step, on each device.
        learning_rate: of the optimizer; the first one where the schedule lets it fall.
        momentum: of SGD.
        weight_decay: on all weights.
        schedule: ``constant``, or ``poly``: times (1 - step / steps)^0.9.
        crop: side of the squares that are cut out at random, in pixels.
        scale: the range of the random factor that each photo is scaled by before; None for none.
        flip: whether every second photo is mirrored.
        color: how far brightness, contrast and saturation are changed at random, as a fraction;
            the hue by less.
        small: what is done with photos smaller than a crop: ``skip`` leaves them out, ``pad`` adds
            pixels without a label.
        average: decay per step of the moving average of the weights that is kept; 0 keeps none.
        precision: as Lightning spells it.
        optimizer: ``sgd`` or ``adamw``.
    """

    epochs: int
    batch: int
    learning_rate: float
    momentum: float
    weight_decay: float
    schedule: Literal["constant", "poly"]
    crop: int
    scale: tuple[float, float] | None
    flip: bool
    color: float
    small: Literal["skip", "pad"]
    average: float
    precision: str
    optimizer: Literal["sgd", "adamw"] = "sgd"
