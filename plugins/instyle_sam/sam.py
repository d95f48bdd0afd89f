"""The segmenter ``sam``: any object, at a click."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor

from instyle_core import InputError, Instance, Prompt, Segmentation, Segmenter
from instyle_sam.everything import everything
from instyle_sam.loading import folder_of
from instyle_sam.params import SamParams
from instyle_sam.segment_anything import Seen, SegmentAnything
from instyle_sam.weights import SAMS


class Sam(Segmenter):
    """One object by points, a box or both; or all that there are.

    - A single point or box may mean a part or a whole: of three masks, the one that the network
      expects most of is taken. With several points, that of the first one is handed in with all of
      them.
    - Without a point and a box, each point of a grid is one prompt; see `everything`.

    Raises:
        WeightsError: the network cannot be downloaded or loaded.
    """

    def __init__(self, params: SamParams) -> None:
        self._params = params
        self._network = SegmentAnything(folder_of(SAMS[params.model], params.source))

    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment into ``background`` and ``object``.

        Raises:
            InputError: a point or the box is not in the picture, or they contradict each other.
            WeightsError: the network fails.
        """
        check(prompt, image.shape[1], image.shape[2])
        seen = self._network.see(image)
        if prompt.points or prompt.box:
            mask, score = pointed(self._network, seen, prompt)
            return segmentation([Instance("object", mask, score)], image)
        params = self._params
        found = everything(self._network, seen, params.grid, params.threshold, params.most)
        return segmentation([Instance("object", mask, score) for mask, score in found], image)


def check(prompt: Prompt, height: int, width: int) -> None:
    """Check points and box.

    Raises:
        InputError: one is not in the picture, or they contradict each other.
    """
    x0, y0, x1, y1 = prompt.box or (0, 0, width, height)
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise InputError(f"the box {[x0, y0, x1, y1]} is empty or reaches outside of the picture")
    for x, y in (*prompt.points, *prompt.not_points):
        if not (0 <= x < width and 0 <= y < height):
            raise InputError(f"the point {[x, y]} is outside of the picture")
    for x, y in prompt.points:
        if not (x0 <= x < x1 and y0 <= y < y1):
            raise InputError(f"the point {[x, y]} is outside of the box")
        if (x, y) in prompt.not_points:
            raise InputError(f"the point {[x, y]} is said to be on the object, and not to be on it")
    if prompt.not_points and not (prompt.points or prompt.box):
        raise InputError(
            "sam is told where the object is not, but not where it is",
            hint="add a point on the object, or a box around it",
        )


def pointed(network: SegmentAnything, seen: Seen, prompt: Prompt) -> tuple[Tensor, float]:
    """The mask (1, H, W) of what points and a box show, and the IoU that the network expects."""
    device = seen.embeddings[0].device
    places = [*prompt.points, *prompt.not_points]
    points = torch.tensor([places], dtype=torch.float32, device=device) if places else None
    labels = torch.tensor([[1] * len(prompt.points) + [0] * len(prompt.not_points)], device=device)
    boxes = torch.tensor([prompt.box], dtype=torch.float32, device=device) if prompt.box else None
    first = None if points is None or not prompt.points else points[:, :1]
    logits, scores = network.masks(seen, first, labels[:, :1] if first is not None else None, boxes)
    best = int(scores[0].argmax())
    chosen, score = logits[0, best], scores[0, best]
    if points is not None and len(places) > (first is not None):
        logits, scores = network.masks(seen, points, labels, boxes, mask=chosen, several=False)
        chosen, score = logits[0, 0], scores[0, 0]
    return network.enlarged(seen, chosen), float(score.clamp(0, 1))


def segmentation(instances: list[Instance], image: Tensor) -> Segmentation:
    """The segmentation of a photo with these objects, which may overlap."""
    probabilities = image.new_zeros(2, *image.shape[1:])
    for instance in instances:
        torch.maximum(probabilities[1:], instance.mask, out=probabilities[1:])
    torch.sub(1, probabilities[1], out=probabilities[0])
    return Segmentation(("background", "object"), probabilities, tuple(instances))
