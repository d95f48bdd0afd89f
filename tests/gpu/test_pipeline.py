"""Whole runs, against the same on the processor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch

pytestmark = pytest.mark.gpu

ALL = "content style laplacian tv depth"

# How far the objective of the first step, that of any, and the picture in levels may be apart. Adam
# goes by the sign of a slope at first, so that what rounding changes grows from step to step: on a
# processor, weights of networks that were changed by 1e-5 of themselves led to 1e-6, 0.003 and 0.5
# levels, float16 to 1e-5, 0.006 and 0.9, and bfloat16 to 2e-4, 0.011 and 1.4. An H100 was up to
# 0.017 from a processor in the objective of a later step in float32, and 0.036 in bfloat16. A run
# without one of its losses is up to 4 levels apart, and its picture 9 from the photo.
CLOSE = (1e-4, 0.03, 1.5)
NEAR = (5e-3, 0.06, 3.0)

Tf32 = Callable[[bool], AbstractContextManager[None]]


@pytest.fixture
def compare(runs: Any, device: torch.device, tf32: Tf32) -> Callable[..., None]:
    """Asserts that a run on the device is near one on the processor, which is in float32."""

    def check(precision: str, bounds: tuple[float, float, float], **changes: Any) -> None:
        optimizer = {"use": "adam", "steps": 8, "scales": 2, **changes.pop("optimizer", {})}
        changes = {"optimizer": optimizer, **changes}
        kind = "float32" if precision == "tf32" else precision
        with tf32(precision == "tf32"):
            there = runs.go(runs.plan("there", device=str(device), precision=kind, **changes))
        here = runs.go(runs.plan("here", device="cpu", precision="float32", **changes))
        assert there.status == here.status == "finished"
        assert there.notes == here.notes == []
        of_first, of_any, levels = bounds
        assert there.totals[0] == pytest.approx(here.totals[0], rel=of_first)
        assert there.totals == pytest.approx(here.totals, rel=of_any)
        assert there.totals[-1] < 0.9 * there.totals[0]
        assert there.distance(here) < levels

    return check


@pytest.mark.parametrize("merger", ["hard", "feather", "multiband", "mrf"])
def test_each_merger_with_all_losses(compare: Callable[..., None], merger: str) -> None:
    compare("float32", CLOSE, losses=ALL, merger={"use": merger})


@pytest.mark.parametrize("precision", ["tf32", "float16", "bfloat16"])
def test_each_precision_with_all_losses(compare: Callable[..., None], precision: str) -> None:
    compare(precision, NEAR, losses=ALL)


def test_l_bfgs(compare: Callable[..., None]) -> None:
    compare("float32", (1e-4, 0.1, 1.5), optimizer={"use": "lbfgs"})


@pytest.mark.parametrize("by", ["luminance", "histogram"])
def test_the_photos_own_colors(compare: Callable[..., None], by: str) -> None:
    compare("float32", CLOSE, objects=[{"color": {"of": "content", "by": by}}])


def test_tiles(compare: Callable[..., None]) -> None:
    compare("float32", CLOSE, losses=ALL, tile=64)
