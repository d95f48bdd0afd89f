"""What holds for every loss, and for the records of the package."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import instyle_losses
from instyle_core import testing
from instyle_losses.content import ContentLoss
from instyle_losses.laplacian import LaplacianLoss
from instyle_losses.palette import PaletteLoss
from instyle_losses.params import ContentParams, LaplacianParams, StyleParams, TVParams
from instyle_losses.self_similarity import SelfSimilarityLoss
from instyle_losses.style import StyleLoss
from instyle_losses.transport import TransportLoss
from instyle_losses.tv import TVLoss

REDUCTIONS = ("relative", "mean", "sum")
LOSSES = {
    "content": ContentLoss,
    "style": StyleLoss,
    "laplacian": LaplacianLoss,
    "tv": TVLoss,
    "transport": TransportLoss,
    "palette": PaletteLoss,
    "self-similarity": SelfSimilarityLoss,
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_content(reduction) -> None:
    testing.check_loss(ContentLoss, ContentParams(reduction=reduction))
    params = ContentParams(reduction=reduction, layers=["a", "b"], layer_weights=[1, 0.2])
    testing.check_loss(ContentLoss, params)


@pytest.mark.parametrize("gram", ["mean", "chw", "sum"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_style(reduction, gram) -> None:
    testing.check_loss(StyleLoss, StyleParams(reduction=reduction, gram=gram))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("settings", "reach"),
    [({"pools": [1]}, 1), ({"pools": [2, 4]}, 4), ({"pools": [3], "stride": 1}, 3)],
)
def test_laplacian(reduction, settings, reach) -> None:
    params = LaplacianParams(reduction=reduction, **settings)
    testing.check_loss(LaplacianLoss, params, reach=reach)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_tv(reduction) -> None:
    flat = torch.full((3, 32, 32), 0.4)
    testing.check_loss(TVLoss, TVParams(reduction=reduction), zero_at=flat, reach=0)


def test_records() -> None:
    registry = testing.registry(instyle_losses)
    assert not registry.failures
    assert {plugin.name for plugin in instyle_losses.instyle_plugins()} == LOSSES.keys()
    for name, loss in LOSSES.items():
        plugin = registry.find("loss", name)
        assert plugin.load() is loss
        loss(plugin.params())  # all of them have defaults


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys, instyle_losses; assert 'pydantic' not in sys.modules; "
        "[plugin.params().reads() for plugin in instyle_losses.instyle_plugins()]; "
        "assert not {'torch', 'kornia'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
