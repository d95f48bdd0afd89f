"""The parameters of the losses: what is read, the weights of layers, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from instyle_losses.params import (
    ContentParams,
    LaplacianParams,
    PaletteParams,
    SelfSimilarityParams,
    StyleParams,
    TransportParams,
    TVParams,
)


def test_reads() -> None:
    assert ContentParams().reads() == {"vgg19": ("relu4_1",)}
    params = StyleParams(extractor="slim", layers=["conv1_1", "conv2_1"])
    assert params.reads() == {"slim": ("conv1_1", "conv2_1")}
    for vectors in (TransportParams, SelfSimilarityParams):
        params = vectors(extractor="slim", layers=["conv1_1"])
        assert params.reads() == {"slim": ("conv1_1",)}
    assert LaplacianParams().reads() == TVParams().reads() == PaletteParams().reads() == {}


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
        (LaplacianParams, {"pools": [1.5]}, "pools"),
        (LaplacianParams, {"pixel_range": 0}, "pixel_range"),
        (TransportParams, {"layers": []}, "layers"),
        (TransportParams, {"samples": 15}, "samples"),
        (TransportParams, {"directions": 0}, "directions"),
        (PaletteParams, {"samples": 65537}, "samples"),
        (PaletteParams, {"directions": 4097}, "directions"),
        (PaletteParams, {"extractor": "vgg19"}, "extractor"),  # it reads no maps
        (SelfSimilarityParams, {"samples": 15}, "samples"),
        (SelfSimilarityParams, {"directions": 8}, "directions"),
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
        (LaplacianParams, {"pools": [4, 0.1], "stride": 1}, "stride", "a share of the picture"),
    ],
)
def test_parameters_that_do_not_fit_together(params, settings, place, message) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        params(**settings)
    (error,) = caught.value.errors()
    assert error["loc"] == (place,)


def test_every_parameter_is_described() -> None:
    of_maps = (ContentParams, StyleParams, TransportParams, SelfSimilarityParams)
    for params in (*of_maps, LaplacianParams, TVParams, PaletteParams):
        for name, field in params.model_json_schema()["properties"].items():
            assert field.get("description"), f"{params.__name__}.{name}"


@pytest.mark.parametrize("reduction", ["relative", "mean"])
@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (None, (1 / 4,) * 4),
        ((1, 1, 2, 4), (1 / 8, 1 / 8, 1 / 4, 1 / 2)),
        ((0, 0, 0, 5), (0, 0, 0, 1)),
    ],
)
def test_weights_of_layers_sum_to_one(weights, expected, reduction) -> None:
    layers = ("a", "b", "c", "d")
    params = StyleParams(layers=layers, layer_weights=weights, reduction=reduction)
    assert params.weighted_layers() == [*zip(layers, expected, strict=True)]


@pytest.mark.parametrize(("weights", "expected"), [(None, (1, 1)), ((3, 0.5), (3, 0.5))])
def test_a_sum_takes_weights_of_layers_as_they_are(weights, expected) -> None:
    params = ContentParams(layers=("a", "b"), layer_weights=weights, reduction="sum")
    assert params.weighted_layers() == [*zip(("a", "b"), expected, strict=True)]


def test_layers_that_are_wrong_are_all_that_is_told() -> None:
    """Not also that the weights, which cannot be compared with them, are too many."""
    with pytest.raises(ValidationError) as caught:
        ContentParams(layers=[], layer_weights=[1, 2])
    assert [error["loc"] for error in caught.value.errors()] == [("layers",)]


@pytest.mark.parametrize(
    ("longest", "expected"), [(64, (1, 2)), (128, (1, 4)), (512, (4, 16)), (1024, (8, 33))]
)
def test_pools_at_a_size(longest, expected) -> None:
    assert LaplacianParams().pools_at(longest) == expected
    assert LaplacianParams(pools=[1, 3]).pools_at(longest) == (1, 3)
