"""CLIPSeg against transformers alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPSegForImageSegmentation, CLIPSegProcessor

from instyle_core import InputError, WeightsError, testing
from instyle_sam.clipseg import Clipseg
from instyle_sam.params import TextParams

TEXTS = ("a cat", "dog")


def clipseg(nets: Path, **settings: Any) -> Clipseg:
    folder = str(nets / "clipseg")
    return Clipseg(TextParams(method="clipseg", pretrained=folder, **settings))


def picture() -> Tensor:
    return (testing.picture(40, 60) * 255).round() / 255


def by_transformers(nets: Path, image: Tensor, text: str) -> Tensor:
    """The logits (H, W) at the picture's size."""
    processor = CLIPSegProcessor.from_pretrained(nets / "clipseg")
    network = CLIPSegForImageSegmentation.from_pretrained(nets / "clipseg").eval()
    pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
    # Two texts, as in its documentation.
    texts = [text, "dog"]
    inputs = processor(
        text=texts, images=[Image.fromarray(pixels)] * 2, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        logits = network(**inputs).logits
    return F.interpolate(logits[:1, None], image.shape[1:], mode="bilinear")[0, 0]


@pytest.mark.parametrize("text", TEXTS)
def test_as_with_transformers(nets: Path, text: str) -> None:
    expected = by_transformers(nets, picture(), text).sigmoid()
    seen = clipseg(nets, threshold=0.5)(picture(), text)
    assert seen.classes == ("background", "object")
    assert seen.instances is None
    torch.testing.assert_close(seen.probabilities[1], expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(seen.probabilities.sum(dim=0), torch.ones(40, 60))


def test_the_threshold_lies_at_one_half(nets: Path) -> None:
    scores = by_transformers(nets, picture(), "a cat").sigmoid()
    threshold = float(scores.median())
    seen = clipseg(nets, threshold=threshold)(picture(), "a cat")
    decided = seen.probabilities[1] > 0.5
    clear = (scores - threshold).abs() > 1e-4
    assert torch.equal(decided[clear], (scores > threshold)[clear])
    assert 0.3 < decided.float().mean() < 0.7


def test_nothing_fits(nets: Path, copies: Path) -> None:
    best = float(by_transformers(nets, picture(), "a cat").max().sigmoid())
    # The decoder's last bias lowers all logits.
    path = copies / "clipseg" / "model.safetensors"
    state = load_file(path)
    (name,) = [
        n for n in state if n.startswith("decoder.transposed_convolution") and n.endswith("4.bias")
    ]
    state[name] -= 10
    save_file(state, path, metadata={"format": "pt"})
    logit = torch.logit(torch.tensor(best, dtype=torch.float64)) - 10
    with pytest.raises(InputError, match="nothing in the photo fits the text 'a cat'") as caught:
        clipseg(copies)(picture(), "a cat")
    assert f"the best score is {float(logit.sigmoid()):.2f}, and 0.5 is wanted" in caught.value.what


def test_another_network(nets: Path) -> None:
    with pytest.raises(WeightsError, match="'grounding-dino', which does not segment by words"):
        Clipseg(TextParams(method="clipseg", pretrained=str(nets / "grounding-dino")))
