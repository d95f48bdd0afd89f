"""The weights of torchvision: what is said of them is what torchvision says."""

from __future__ import annotations

from typing import get_args

import pytest
from torchvision.models import get_model_weights

from instyle_core import testing
from instyle_segmenters.weights import PUBLISHED, Model, tells_apart


@pytest.mark.parametrize("model", get_args(Model))
def test_the_published_weights_are_those_of_torchvision(model: Model) -> None:
    theirs = get_model_weights(model).DEFAULT
    ours = PUBLISHED[model]
    assert ours.url == theirs.url
    assert ours.file == theirs.url.rpartition("/")[2]
    assert f"-{ours.sha256}.pth" in theirs.url
    # torchvision counts in units of 2^20 bytes, and names them MB.
    assert ours.megabytes == pytest.approx(theirs.meta["_file_size"] * 2**20 / 1e6, abs=0.06)
    (score,) = [
        value
        for metrics in theirs.meta["_metrics"].values()
        for name, value in metrics.items()
        if name in ("miou", "mask_map")
    ]
    assert f"{score}%" in ours.summary
    assert (
        f"{len([c for c in theirs.meta['categories'][1:] if c != 'N/A'])} classes" in ours.summary
    )
    assert tells_apart(model) == ("mask_map" in str(theirs.meta["_metrics"]))


def test_all_of_them_are_announced() -> None:
    registry = testing.registry("instyle_segmenters")
    (entry,) = [e for e in registry.entries("segmenter") if e.plugin.name == "torchvision"]
    assert set(entry.plugin.weights) == set(PUBLISHED.values())
    assert len({weights.name for weights in PUBLISHED.values()}) == len(PUBLISHED)
