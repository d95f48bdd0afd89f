"""Grounding DINO against transformers alone, and the masks in its boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor

from instyle_core import InputError, WeightsError, testing
from instyle_sam.dino_sam import DinoSam
from instyle_sam.params import TextParams
from tests.plugins.instyle_sam.fakes import FakeSam

TEXT = "A red cat"


def dino(nets: Path, **settings: Any) -> DinoSam:
    folders = {"pretrained": str(nets / "grounding-dino"), "sam": str(nets / "sam2")}
    return DinoSam(TextParams(**folders, **settings))


def picture() -> Tensor:
    return (testing.picture(40, 60) * 255).round() / 255


def by_transformers(nets: Path, image: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Boxes (N, 4) and scores, best first, before any of them is suppressed."""
    processor = GroundingDinoProcessor.from_pretrained(nets / "grounding-dino")
    network = GroundingDinoForObjectDetection.from_pretrained(nets / "grounding-dino").eval()
    pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
    inputs = processor(images=Image.fromarray(pixels), text="a red cat.", return_tensors="pt")
    with torch.no_grad():
        answer = network(**inputs)
    (found,) = processor.post_process_grounded_object_detection(
        answer,
        inputs.input_ids,
        threshold=threshold,
        target_sizes=[(image.shape[1], image.shape[2])],
    )
    order = found["scores"].argsort(descending=True)
    return found["boxes"][order], found["scores"][order]


def iou(one: Tensor, other: Tensor) -> float:
    size = (torch.minimum(one[2:], other[2:]) - torch.maximum(one[:2], other[:2])).clamp(min=0)
    areas = [float((box[2:] - box[:2]).prod()) for box in (one, other)]
    return float(size.prod()) / (sum(areas) - float(size.prod()))


def expected(nets: Path, threshold: float) -> tuple[list[list[float]], list[float]]:
    boxes, scores = by_transformers(nets, picture(), threshold)
    boxes = torch.stack([boxes[:, 0::2].clamp(0, 60), boxes[:, 1::2].clamp(0, 40)], dim=2).flatten(
        1
    )
    left: list[int] = []
    for number in range(len(boxes)):
        if all(iou(boxes[number], boxes[other]) <= 0.7 for other in left):
            left.append(number)
    return boxes[left].tolist(), scores[left].tolist()


def test_boxes_are_as_with_transformers(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes, scores = expected(nets, 0.35)
    assert 1 < len(boxes) < 12
    segmenter, fake = dino(nets), FakeSam()
    monkeypatch.setattr(segmenter, "_sam", fake)
    seen = segmenter(picture(), TEXT)
    (asked,) = fake.asked
    torch.testing.assert_close(asked["boxes"], torch.tensor(boxes), atol=1e-2, rtol=0)
    assert asked["points"] is None
    assert seen.instances is not None
    assert [i.score for i in seen.instances] == pytest.approx(scores, abs=1e-4)
    assert {i.class_name for i in seen.instances} == {"object"}
    for instance, (x0, y0, x1, y1) in zip(seen.instances, boxes, strict=True):
        y, x = torch.meshgrid(torch.arange(40), torch.arange(60), indexing="ij")
        clear = [(abs(x - edge) > 0.02) for edge in (x0, x1)] + [
            abs(y - edge) > 0.02 for edge in (y0, y1)
        ]
        inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
        sure = torch.stack(clear).all(dim=0)
        assert torch.equal((instance.mask[0] >= 0.5)[sure], inside[sure])
    union = torch.stack([i.mask[0] for i in seen.instances]).amax(dim=0)
    torch.testing.assert_close(seen.probabilities[1], union)


def test_only_so_many(nets: Path) -> None:
    _, scores = expected(nets, 0.1)
    seen = dino(nets, threshold=0.1, most=2)(picture(), TEXT)
    assert seen.instances is not None
    assert [i.score for i in seen.instances] == pytest.approx(scores[:2], abs=1e-4)


def test_the_form_of_a_text_does_not_matter(nets: Path) -> None:
    segmenter = dino(nets)
    one, other = (segmenter(picture(), text) for text in ("a red cat", "A Red Cat. "))
    assert torch.equal(one.probabilities, other.probabilities)


def test_nothing_fits(nets: Path) -> None:
    _, scores = expected(nets, 0.0)
    with pytest.raises(InputError, match=f"the best score is {scores[0]:.2f}, and 0.99 is wanted"):
        dino(nets, threshold=0.99)(picture(), TEXT)


def test_a_text_that_is_too_long(nets: Path) -> None:
    with pytest.raises(InputError, match="the network reads 16"):
        dino(nets)(picture(), "cat " * 20)


def test_another_network(nets: Path) -> None:
    with pytest.raises(WeightsError, match="'clipseg', which does not find boxes by words"):
        DinoSam(TextParams(pretrained=str(nets / "clipseg"), sam=str(nets / "sam")))
    with pytest.raises(WeightsError, match="'clipseg', which does not segment by points"):
        DinoSam(TextParams(pretrained=str(nets / "grounding-dino"), sam=str(nets / "clipseg")))
