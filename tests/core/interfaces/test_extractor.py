"""What a feature extractor has to have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor, nn

from instyle_core import ExtractorParams, FeatureExtractor, testing


class Blur(nn.Module, FeatureExtractor):
    """A network of one fixed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1, 3, 2, 2), 1 / 12), requires_grad=False)

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        maps = nn.functional.conv2d(images, self.weight, stride=2)
        return dict.fromkeys(layers, maps)


class BlurParams(ExtractorParams):
    def layers(self) -> Mapping[str, int]:
        return {"mean": 2}


def test_a_module_has_all_but_extract() -> None:
    """`to` is the module's own: it moves the weights, and returns the extractor."""
    extractor: FeatureExtractor = Blur()
    assert extractor.to(torch.device("cpu"), torch.float64) is extractor
    image = testing.picture(4, 6).double()
    maps = extractor.extract(image[None], ["mean"])["mean"]
    cells = image.numpy().reshape(3, 2, 2, 3, 2).mean(axis=(0, 2, 4))
    assert maps.dtype == torch.float64
    torch.testing.assert_close(maps[0, 0], torch.from_numpy(cells), rtol=1e-6, atol=0)


def test_such_a_module_keeps_the_contract() -> None:
    testing.check_extractor(Blur(), BlurParams())


@pytest.mark.parametrize("missing", ["extract", "to"])
def test_one_that_lacks_a_method_cannot_be_made(missing: str) -> None:
    whole = {"extract": Blur.extract, "to": nn.Module.to}
    del whole[missing]
    with pytest.raises(TypeError, match=missing):
        type("Partial", (FeatureExtractor,), whole)()
