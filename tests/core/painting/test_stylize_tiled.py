"""A whole optimization in tiles takes the steps of one that computes the picture at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from instyle_core.config.optimizer import Adam
from instyle_core.config.spec import Spec
from instyle_core.interfaces.loss import Loss, Targets, View
from instyle_core.interfaces.params import ExtractorParams, LossParams
from instyle_core.optimization.optimize import Progress
from instyle_core.painting.crop import Crop
from instyle_core.painting.networks import Networks
from instyle_core.painting.stylize import stylize
from instyle_core.plugin.use import Use
from instyle_core.testing import PixelExtractor, disc, picture
from instyle_losses.params import ContentParams, LaplacianParams, StyleParams
from instyle_vgg.params import VGG19Params
from instyle_vgg.vgg19 import VGG19
from tests.core.helpers.narrow_vgg import Recording, narrow
from tests.core.helpers.plans import object_plan, use


class BlindParams(ExtractorParams):
    """Says nothing of how far its layers reach."""

    def layers(self) -> Mapping[str, int]:
        return {"cells": 2}


class WholeParams(LossParams):
    extractor: str = "vgg19"
    layer: str = "relu2_1"

    def reads(self) -> Mapping[str, Sequence[str]]:
        return {self.extractor: [self.layer]}


class Whole(Loss):
    """The variance of a map over all of the picture: not a sum over cells."""

    def __init__(self, params: WholeParams) -> None:
        self._params = params

    def prepare(self, targets: Targets) -> None:
        maps = targets.content.features(self._params.extractor, self._params.layer)
        self._unit = maps.square().mean()

    def __call__(self, view: View) -> Tensor:
        return view.features(self._params.extractor, self._params.layer).var() / self._unit


SUMMED = [
    use("loss", ContentParams(layers=("relu2_1",)), "instyle_losses.content:ContentLoss"),
    use(
        "loss",
        StyleParams(layers=("relu1_1", "relu2_2")),
        "instyle_losses.style:StyleLoss",
        name="style",
        weight=5,
    ),
    use("loss", LaplacianParams(), "instyle_losses.laplacian:LaplacianLoss"),
]
UNSUMMED = [
    *SUMMED,
    use("loss", WholeParams(), f"{__name__}:Whole"),
    use("loss", WholeParams(extractor="blind", layer="cells"), f"{__name__}:Whole"),
]


def terms_of_each_step(tile: int, losses: Sequence[Use], network: VGG19) -> tuple[Any, Recording]:
    recording = Recording(network)
    networks = Networks(
        {"vgg19": recording, "blind": PixelExtractor()},
        torch.device("cpu"),
        torch.float32,
        params={"vgg19": VGG19Params(), "blind": BlindParams()},
        tile=tile,
    )
    mask, content = disc(203, 170), picture(203, 170, seed=1)
    spec = Spec.model_construct(size=256, optimizer=Adam(steps=6, scales=2, learning_rate=0.02))
    crop = Crop(content, mask.decision, mask.decision, [picture(120, 200, seed=5)])
    steps: list[Progress] = []
    outcome = stylize(crop, object_plan(losses), spec, networks, steps.append)
    assert outcome.status == "finished"
    return [dict(step.terms) for step in steps], recording


@pytest.mark.parametrize(("losses", "alone"), [(SUMMED, True), (UNSUMMED, False)])
def test_an_optimization_in_tiles_takes_the_same_steps(losses: Sequence[Use], alone: bool) -> None:
    network = narrow(channels=16, dtype=torch.float32)
    tiled, pieces = terms_of_each_step(64, losses, network)
    whole, _ = terms_of_each_step(0, losses, network)
    assert len(tiled) == len(whole) == 6
    for ours, theirs in zip(tiled, whole, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
    assert whole[-1]["style"] < whole[0]["style"]
    # Unless there is a loss that has to see all, nothing larger than a tile is ever computed:
    # 64 pixels and the two of rounding, with 8 around them.
    largest = max(max(size) for size in pieces.sizes)
    assert (largest <= 64 + 2 + 2 * 8) == alone
