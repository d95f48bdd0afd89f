"""Objects by words: boxes by Grounding DINO, and masks by Segment Anything."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
import transformers
from torch import Tensor
from torchvision.ops import box_convert, clip_boxes_to_image, nms

from instyle_core import Instance, Segmentation
from instyle_sam.everything import BATCH, OVERLAP
from instyle_sam.loading import finite, folder_of, load, working
from instyle_sam.params import TextParams
from instyle_sam.reading import inputs_for, nothing_fits
from instyle_sam.sam import segmentation
from instyle_sam.segment_anything import SegmentAnything
from instyle_sam.weights import READERS, SAMS, WORDS

_KINDS = {
    "grounding-dino": (
        transformers.GroundingDinoForObjectDetection,
        transformers.GroundingDinoProcessor,
    )
}

#: The least score of a box, as the authors have it.
THRESHOLD = 0.35


class DinoSam:
    """Grounding DINO finds boxes around what a text names, and Segment Anything the object in each.

    The score of a box is its best one over the tokens of the text. Of the three masks of a box, the
    one that the network expects most of is taken.

    Source: Liu et al. 2023, "Grounding DINO"; Ren et al. 2024, "Grounded SAM", arXiv:2401.14159.

    Raises:
        WeightsError: a network cannot be downloaded or loaded.
    """

    def __init__(self, params: TextParams) -> None:
        self._folder = folder_of(READERS["dino-sam"], params.source, WORDS)
        self._network, self._processor = load(self._folder, _KINDS, "find boxes by words")
        published = next((record for name, record in SAMS.items() if name == params.sam), None)
        own = None if published else params.sam
        self._sam = SegmentAnything(folder_of(published, own))
        self._threshold = THRESHOLD if params.threshold is None else params.threshold
        self._most = params.most

    def __call__(self, image: Tensor, text: str) -> Segmentation:
        """Segment a photo (3, H, W) into ``background`` and ``object``, one instance for each box.

        Raises:
            InputError: the text is too long, or nothing fits it.
            WeightsError: a network fails.
        """
        boxes, scores = self._boxes(image, text)
        seen = self._sam.see(image)
        instances = []
        for some, fits in zip(torch.split(boxes, BATCH), torch.split(scores, BATCH), strict=True):
            logits, expected = self._sam.masks(seen, None, None, some)
            for number, best in enumerate(expected.argmax(dim=1).tolist()):
                mask = self._sam.enlarged(seen, logits[number, best])
                instances.append(Instance("object", mask, float(fits[number])))
        return segmentation(instances, image)

    def _boxes(self, image: Tensor, text: str) -> tuple[Tensor, Tensor]:
        """The boxes (N, 4) of what fits, in pixels of the photo, and their scores, best first."""
        # The network was trained on lower-case phrases, each of which ends with a full stop.
        phrase = text.lower().rstrip(". ") + "."
        with working(self._folder):
            inputs = inputs_for(self._processor, image, phrase, self._network.config.max_text_len)
            answer = self._network.to(image.device)(**inputs)
        # Logits of places beyond the text are minus infinity.
        scores = finite(answer.logits[0].sigmoid().amax(dim=-1), self._folder)
        places = finite(answer.pred_boxes[0], self._folder)
        best = float(scores.max())
        if best < self._threshold:
            raise nothing_fits(text, best, self._threshold)
        fit = scores >= self._threshold
        height, width = image.shape[1:]
        boxes = box_convert(places[fit], "cxcywh", "xyxy")
        boxes = clip_boxes_to_image(
            boxes * boxes.new_tensor([width, height, width, height]), (height, width)
        )
        left = nms(boxes, scores[fit], OVERLAP)[: self._most]
        return boxes[left], scores[fit][left]
