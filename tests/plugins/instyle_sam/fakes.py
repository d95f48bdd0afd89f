"""A stand-in for Segment Anything whose answers are known: discs around points, boxes filled."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from instyle_sam.segment_anything import Seen

#: What it expects of its small, middle and large answer.
SCORES = (0.9, 0.97, 0.93)

#: The radii of the three answers to a point, in pixels of the photo.
RADII = (4.0, 9.0, 16.0)


class FakeSam:
    """Answers at the photo's own size, without padding; logits are 20 inside and -20 outside.

    Attributes:
        asked: of each call, by name, what it was given.
        unsure: x below which answers to points are unstable.
        scores: what it expects of its answers.
    """

    def __init__(self, *, unsure: float = -1.0) -> None:
        self.asked: list[dict[str, Any]] = []
        self.unsure = unsure
        self.scores = SCORES

    def see(self, image: Tensor) -> Seen:
        size = (image.shape[1], image.shape[2])
        return Seen((image.new_zeros(1),), size, size, size)

    def masks(
        self,
        seen: Seen,
        points: Tensor | None,
        labels: Tensor | None,
        boxes: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        several: bool = True,
    ) -> tuple[Tensor, Tensor]:
        given = {"points": points, "labels": labels, "boxes": boxes, "mask": mask}
        self.asked.append({**given, "several": several})
        y = torch.arange(seen.size[0])[:, None].float()
        x = torch.arange(seen.size[1])[None, :].float()
        answers = []
        count = len(points) if points is not None else len(boxes if boxes is not None else ())
        for number in range(count):
            inside = []
            for radius in RADII:
                if points is not None:
                    px, py = points[number, 0].tolist()
                    disc = (x - px) ** 2 + (y - py) ** 2 <= radius**2
                    logits = torch.where(disc, 20.0, -20.0)
                    if px < self.unsure:
                        logits = logits / 40  # nowhere above 1
                else:
                    assert boxes is not None
                    x0, y0, x1, y1 = boxes[number].tolist()
                    box = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
                    logits = torch.where(box, 20.0, -20.0)
                inside.append(logits)
            answers.append(torch.stack(inside))
        masks, scores = torch.stack(answers), torch.tensor([self.scores] * len(answers))
        return (masks, scores) if several else (masks[:, :1], scores[:, :1])

    def coarse(self, seen: Seen, logits: Tensor) -> Tensor:
        return logits

    def enlarged(self, seen: Seen, logits: Tensor) -> Tensor:
        return logits[None].sigmoid()
