"""The network against transformers alone, and the memory of what it has seen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers import (
    Sam2ImageProcessor,
    Sam2Model,
    Sam2Processor,
    SamImageProcessor,
    SamModel,
    SamProcessor,
)

from instyle_core import testing
from instyle_sam.segment_anything import IN_MEMORY, SegmentAnything

KINDS = ["sam", "sam2", "sam2_video"]


def picture(height: int, width: int, seed: int = 0) -> Tensor:
    """A picture of 256 levels, as those of files are."""
    return (testing.picture(height, width, seed=seed) * 255).round() / 255


def by_transformers(folder: Path, image: Tensor, **prompts: Any) -> tuple[Tensor, Tensor]:
    """Logits (N, 3, H, W) at the picture's size and expected IoUs, by its processor and model."""
    if folder.name == "sam":
        processor: Any = SamProcessor(SamImageProcessor.from_pretrained(folder))
        network: Any = SamModel.from_pretrained(folder)
    else:
        processor = Sam2Processor(Sam2ImageProcessor.from_pretrained(folder))
        network = Sam2Model.from_pretrained(folder)
    pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
    inputs = processor(images=Image.fromarray(pixels), return_tensors="pt", **prompts)
    sizes = {"original_sizes": inputs.pop("original_sizes")}
    if folder.name == "sam":
        sizes["reshaped_input_sizes"] = inputs.pop("reshaped_input_sizes")
    with torch.no_grad():
        answer = network.eval()(**inputs)
    (masks,) = processor.image_processor.post_process_masks(
        answer.pred_masks, binarize=False, **sizes
    )
    return masks, answer.iou_scores[0]


def enlarged(network: SegmentAnything, seen: Any, logits: Tensor) -> Tensor:
    return torch.stack(
        [torch.cat([network.enlarged(seen, mask) for mask in masks]) for masks in logits]
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(40, 60), (96, 32), (64, 64), (130, 7)])
def test_points_are_as_with_transformers(nets: Path, kind: str, size: tuple[int, int]) -> None:
    image, (height, width) = picture(*size), size
    points = [[[3.0, 5.0], [width - 1.0, height - 2.0]], [[0.0, 0.0], [2.0, height / 2]]]
    labels = [[1, 0], [1, 1]]
    expected, scores = by_transformers(
        nets / kind, image, input_points=[points], input_labels=[labels]
    )
    network = SegmentAnything(nets / kind)
    seen = network.see(image)
    logits, actual = network.masks(seen, torch.tensor(points), torch.tensor(labels))
    torch.testing.assert_close(actual, scores)
    torch.testing.assert_close(
        enlarged(network, seen, logits), expected.sigmoid(), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_are_as_with_transformers(nets: Path, kind: str) -> None:
    image = picture(50, 30)
    boxes = [[2.0, 3.0, 20.0, 40.0], [0.0, 0.0, 30.0, 50.0]]
    expected, scores = by_transformers(nets / kind, image, input_boxes=[boxes])
    network = SegmentAnything(nets / kind)
    seen = network.see(image)
    logits, actual = network.masks(seen, None, None, torch.tensor(boxes))
    torch.testing.assert_close(actual, scores)
    torch.testing.assert_close(
        enlarged(network, seen, logits), expected.sigmoid(), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("kind", KINDS)
def test_an_earlier_mask_changes_the_answer(nets: Path, kind: str) -> None:
    network = SegmentAnything(nets / kind)
    seen = network.see(picture(40, 60))
    prompt = torch.tensor([[[30.0, 20.0]]]), torch.tensor([[1]])
    logits, _ = network.masks(seen, *prompt)
    once, _ = network.masks(seen, *prompt, several=False)
    again, _ = network.masks(seen, *prompt, mask=logits[0, 0], several=False)
    assert once.shape == again.shape == (1, 1, *logits.shape[-2:])
    assert not torch.allclose(once, again)


@pytest.mark.parametrize(("kind", "shape"), [("sam", (32, 16)), ("sam2", (16, 16))])
def test_the_coarse_part_has_no_padding(nets: Path, kind: str, shape: tuple[int, int]) -> None:
    """SAM pads a picture of 30x60 pixels to 60x60; SAM 2 stretches it."""
    network = SegmentAnything(nets / kind)
    seen = network.see(picture(60, 30))
    logits, _ = network.masks(seen, torch.tensor([[[3.0, 5.0]]]), torch.tensor([[1]]))
    assert network.coarse(seen, logits).shape[-2:] == shape


# --- memory ---------------------------------------------------------------------------------------


class Counting:
    """Counts how often the image encoder runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        for kind in (SamModel, Sam2Model):
            original = kind.get_image_embeddings

            def counted(network: Any, *args: Any, original: Any = original, **kwargs: Any) -> Any:
                self.times += 1
                return original(network, *args, **kwargs)

            monkeypatch.setattr(kind, "get_image_embeddings", counted)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)


def answer(network: SegmentAnything, image: Tensor) -> Tensor:
    seen = network.see(image)
    return network.masks(seen, torch.tensor([[[3.0, 5.0]]]), torch.tensor([[1]]))[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_is_seen_once(nets: Path, kind: str, encoder: Counting) -> None:
    network = SegmentAnything(nets / kind)
    first = answer(network, picture(40, 60))
    assert encoder.times == 1
    assert torch.equal(answer(network, picture(40, 60)), first)
    # Another segmenter, as in the next process, finds it in the cache folder.
    assert torch.equal(answer(SegmentAnything(nets / kind), picture(40, 60)), first)
    assert encoder.times == 1
    answer(network, picture(40, 60, seed=1))
    assert encoder.times == 2


@pytest.mark.filterwarnings("ignore:nothing is kept")
def test_without_a_cache_folder_the_last_photos_are_in_memory(
    nets: Path, encoder: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("INSTYLE_CACHE", str(tmp_path / "file"))
    network = SegmentAnything(nets / "sam")
    for seed in (*range(IN_MEMORY), *range(IN_MEMORY)):
        answer(network, picture(20, 20, seed))
    assert encoder.times == IN_MEMORY
    for seed in (0, IN_MEMORY, 0, 1):  # the first one was used last; the second one is forgotten
        answer(network, picture(20, 20, seed))
    assert encoder.times == IN_MEMORY + 2


def test_other_files_see_anew(copies: Path, encoder: Counting) -> None:
    answer(SegmentAnything(copies / "sam"), picture(40, 60))
    os.utime(copies / "sam" / "preprocessor_config.json", (1, 1))
    answer(SegmentAnything(copies / "sam"), picture(40, 60))
    assert encoder.times == 2


def test_a_picture_of_other_proportions_is_another(nets: Path, encoder: Counting) -> None:
    network = SegmentAnything(nets / "sam")
    for height, width in ((40, 60), (60, 40)):
        seen = network.see(torch.zeros(3, height, width))
        assert seen.size == (height, width)
    assert encoder.times == 2


def test_damaged_embeddings_are_computed_again(
    nets: Path, encoder: Counting, tmp_path: Path
) -> None:
    first = answer(SegmentAnything(nets / "sam"), picture(40, 60))
    (kept,) = (tmp_path / "cache" / "computed").iterdir()
    kept.write_bytes(kept.read_bytes()[:-8] + bytes(8))
    assert torch.equal(answer(SegmentAnything(nets / "sam"), picture(40, 60)), first)
    assert encoder.times == 2
