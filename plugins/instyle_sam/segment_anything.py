"""Segment Anything as a network: it sees a photo once, and then answers prompts quickly."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from torch import Tensor

from instyle_core import remembered
from instyle_sam.loading import finite, load, to_bytes, working

_KINDS = {
    kind: (transformers.AutoModelForMaskGeneration, transformers.AutoImageProcessor)
    # The files of SAM 2 are those of its version for videos, of which pictures need a part.
    for kind in ("sam", "sam2", "sam2_video")
}

#: How many photos' embeddings stay in memory; those of one take up to 16 MB.
IN_MEMORY = 2


@dataclass(frozen=True, eq=False)
class Seen:
    """A photo as the network has seen it.

    Attributes:
        embeddings: feature maps, one for SAM and three for SAM 2.
        size: (height, width) of the photo.
        inner: (height, width) at which the network sees it, without padding.
        outer: the same with padding, at the right and lower edge.
    """

    embeddings: tuple[Tensor, ...]
    size: tuple[int, int]
    inner: tuple[int, int]
    outer: tuple[int, int]

    def scaled(self, places: Tensor) -> Tensor:
        """Points or boxes (..., 2) or (..., 4) from pixels of the photo to those that it sees."""
        (height, width), (h, w) = self.size, self.inner
        return places * places.new_tensor([w / width, h / height] * (places.shape[-1] // 2))


class SegmentAnything:
    """SAM or SAM 2, by transformers.

    The embeddings of the last photos stay in memory, and those of some more in the cache folder, so
    that the image encoder, which takes nearly all of the time, runs once for a photo.

    Source: Kirillov et al. 2023, "Segment Anything"; Ravi et al. 2024, "SAM 2".

    Args:
        folder: of its files.

    Raises:
        WeightsError: it cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._network, self._processor = load(folder, _KINDS, "segment by points and boxes")
        self._is_second = self._network.config.model_type != "sam"
        self._seen: OrderedDict[str, Seen] = OrderedDict()

    def see(self, image: Tensor) -> Seen:
        """Look at a photo, (3, H, W), or remember it.

        Raises:
            WeightsError: the network fails, or its answer is not finite.
        """
        self._network.to(image.device)
        pixels = to_bytes(image)
        key = self._key(pixels, image.device)
        if key not in self._seen:
            kept = remembered(key, lambda: self._embed(pixels, image.device))
            sizes = [int(side) for side in kept["sizes"]]
            self._seen[key] = Seen(
                tuple(kept[str(n)].to(image.device) for n in range(len(kept) - 1)),
                (image.shape[1], image.shape[2]),
                (sizes[0], sizes[1]),
                (sizes[2], sizes[3]),
            )
        self._seen.move_to_end(key)
        while len(self._seen) > IN_MEMORY:
            self._seen.popitem(last=False)
        return self._seen[key]

    def _key(self, pixels: Tensor, device: torch.device) -> str:
        """All that embeddings depend on: the photo, the network's files, and what computes."""
        files = [path.stat() for path in sorted(self._folder.iterdir()) if path.is_file()]
        picture = hashlib.sha256(pixels.numpy().data).hexdigest()
        versions = [torch.__version__, transformers.__version__, device.type]
        dates = [[file.st_size, file.st_mtime_ns] for file in files]
        return json.dumps([picture, list(pixels.shape), str(self._folder), dates, versions])

    def _embed(self, pixels: Tensor, device: torch.device) -> dict[str, Tensor]:
        """The embeddings, by number, and the sizes at which the network sees the photo."""
        with working(self._folder):
            seen = self._processor(
                images=pixels, input_data_format="channels_first", return_tensors="pt"
            )
            outer = seen["pixel_values"].shape[-2:]
            inner = (
                seen["reshaped_input_sizes"][0].tolist()
                if "reshaped_input_sizes" in seen
                else outer
            )
            maps = self._network.get_image_embeddings(seen["pixel_values"].to(device))
        maps = maps if self._is_second else [maps]
        embeddings = {
            str(n): finite(each, self._folder).contiguous() for n, each in enumerate(maps)
        }
        return {**embeddings, "sizes": torch.tensor([*inner, *outer])}

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
        """Answer N prompts at once.

        Args:
            seen: the photo.
            points: (N, P, 2), x and y in pixels of the photo.
            labels: (N, P), 1 for points on the object and 0 for others.
            boxes: (N, 4), x0, y0, x1, y1.
            mask: (h, w), the logits of an earlier answer to a single prompt.
            several: whether to answer with 3 masks, since a prompt may mean a part or a whole.

        Returns:
            The logits (N, K, h, w) of K masks each, coarse and with padding; and the IoU (N, K)
            with a true object that the network expects of each.

        Raises:
            WeightsError: the network fails, or its answer is not finite.
        """
        maps = list(seen.embeddings)
        with working(self._folder):
            answer = self._network(
                image_embeddings=maps if self._is_second else maps[0],
                input_points=None if points is None else seen.scaled(points)[None],
                input_labels=None if labels is None else labels[None],
                input_boxes=None if boxes is None else seen.scaled(boxes)[None],
                input_masks=None if mask is None else mask[None, None],
                multimask_output=several,
            )
        return finite(answer.pred_masks[0], self._folder), finite(
            answer.iou_scores[0], self._folder
        )

    def coarse(self, seen: Seen, logits: Tensor) -> Tensor:
        """The part of logits (..., h, w) that shows the photo, without padding."""
        h, w = (
            max(1, round(side * inner / outer))
            for side, inner, outer in zip(logits.shape[-2:], seen.inner, seen.outer, strict=True)
        )
        return logits[..., :h, :w]

    def enlarged(self, seen: Seen, logits: Tensor) -> Tensor:
        """The probability (1, H, W) of a mask with the logits (h, w), at the size of the photo."""
        (mask,) = self._processor.post_process_masks(
            logits[None, None, None],
            original_sizes=[seen.size],
            reshaped_input_sizes=[seen.inner],
            binarize=False,
        )
        return torch.as_tensor(mask[0]).sigmoid_()
