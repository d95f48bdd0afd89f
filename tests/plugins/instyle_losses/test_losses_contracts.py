"""What every loss promises, its record, and its parameters."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError

import instyle_losses
from instyle_core import testing
from instyle_losses.content import ContentLoss
from instyle_losses.laplacian import LaplacianLoss
from instyle_losses.params import ContentParams, LaplacianParams, StyleParams, TVParams
from instyle_losses.style import StyleLoss
from instyle_losses.tv import TVLoss

REDUCTIONS = ("relative", "mean", "sum")
LOSSES = {"content": ContentLoss, "style": StyleLoss, "laplacian": LaplacianLoss, "tv": TVLoss}


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
    for name, loss in LOSSES.items():
        plugin = registry.find("loss", name)
        assert plugin.load() is loss
        loss(plugin.params())  # all of them have defaults


def test_reads() -> None:
    assert ContentParams().reads() == {"vgg19": ("relu4_1",)}
    params = StyleParams(extractor="slim", layers=["conv1_1", "conv2_1"])
    assert params.reads() == {"slim": ("conv1_1", "conv2_1")}
    assert LaplacianParams().reads() == TVParams().reads() == {}


@pytest.mark.parametrize(
    ("params", "settings", "place"),
    [
        (ContentParams, {"layers": []}, "layers"),
        (ContentParams, {"layer_weights": [-1]}, "layer_weights"),
        (ContentParams, {"layer_weights": [float("inf")]}, "layer_weights"),
        (StyleParams, {"gram": "hwc"}, "gram"),
        (TVParams, {"reduction": "max"}, "reduction"),
        (TVParams, {"layers": ["relu1_1"]}, "layers"),  # an unknown key
        (LaplacianParams, {"pools": []}, "pools"),
        (LaplacianParams, {"pools": [4, 0]}, "pools"),
        (LaplacianParams, {"pixel_range": 0}, "pixel_range"),
    ],
)
def test_wrong_parameters(params, settings, place) -> None:
    with pytest.raises(ValidationError) as caught:
        params(**settings)
    (error,) = caught.value.errors()
    assert error["loc"][0] == place


@pytest.mark.parametrize(
    ("params", "settings", "place", "message"),
    [
        (ContentParams, {"layer_weights": [1, 2]}, "layer_weights", "2 weights for 1 layers"),
        (StyleParams, {"layer_weights": [1, 1, 1]}, "layer_weights", "3 weights for 5 layers"),
        (ContentParams, {"layer_weights": [0]}, "layer_weights", "all the weights are 0"),
        (LaplacianParams, {"pools": [8, 3], "stride": 4}, "stride", "would skip pixels"),
    ],
)
def test_parameters_that_do_not_fit_together(params, settings, place, message) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        params(**settings)
    (error,) = caught.value.errors()
    assert error["loc"] == (place,)


def test_every_parameter_is_described() -> None:
    for params in (ContentParams, StyleParams, LaplacianParams, TVParams):
        for name, field in params.model_json_schema()["properties"].items():
            assert field.get("description"), f"{params.__name__}.{name}"


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys, instyle_losses; assert 'pydantic' not in sys.modules; "
        "[plugin.params().reads() for plugin in instyle_losses.instyle_plugins()]; "
        "assert not {'torch', 'kornia'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
