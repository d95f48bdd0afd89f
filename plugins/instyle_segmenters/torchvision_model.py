"""The segmenter ``torchvision``: FCN, DeepLabV3, LR-ASPP and Mask R-CNN."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.models.detection.transform import resize_boxes

from instyle_core import (
    InputError,
    Instance,
    Prompt,
    Segmentation,
    Segmenter,
    WeightsError,
    did_you_mean,
    fetch,
)
from instyle_segmenters.networks import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    enlarged,
    load_state,
    normalized,
    read_state,
    shrunk,
)
from instyle_segmenters.params import TorchvisionParams
from instyle_segmenters.weights import PUBLISHED, tells_apart

#: The shorter side that the published weights were trained at; and how many times as long the other
#: side may be.
SEMANTIC_SIZE, INSTANCE_SIZE, LONGEST = 520, 800, 4
#: The longer side of `maskrcnn_...` at its shorter one.
INSTANCE_LONGEST = 1333

#: The tensors whose first dimension is the number of classes.
_SCORES = ("classifier.4.weight", "classifier.low_classifier.weight")
_BOX_SCORES = "roi_heads.box_predictor.cls_score.weight"
#: The name of those numbers of COCO that no class has.
_NONE = "N/A"


class Torchvision(Segmenter):
    """A network of torchvision's, with its published weights or your own.

    - FCN, DeepLabV3 and LR-ASPP tell the class of each pixel: the softmax of their scores at the
      size that the network sees, enlarged. Their preprocessing is that of the published weights.
    - Mask R-CNN tells objects apart. Its segmentation holds one instance for each object; classes
      are those that were found and the one that was asked for. Where no object is, the background
      is; where objects with the masks m_i are, it is the product of 1 - m_i over classes, taking
      the largest m_i of each class. The rest of 1 goes to the classes in proportion to the
      largest m_i times confidence of each.

    Only the file of the weights is downloaded.

    Raises:
        WeightsError: the weights are not there and cannot be downloaded, cannot be used, or are of
            another network.
        InputError: there are not as many classes named as the weights have.
    """

    def __init__(self, params: TorchvisionParams) -> None:
        self._params = params
        path = params.weights or fetch(PUBLISHED[params.model])
        state = {k: v for k, v in read_state(path).items() if not k.startswith("aux_classifier.")}
        self._apart = tells_apart(params.model)
        scores = next((state[n] for n in (*_SCORES, _BOX_SCORES) if n in state), None)
        if scores is None:
            raise WeightsError(
                f"the file is of another network than {params.model}: it scores no classes",
                where=str(path),
                hint="name the network that the weights were trained with under `model`",
            )
        self._classes = self._names(scores.shape[0])
        with torch.random.fork_rng(devices=[]):  # making a network draws random numbers
            self._network = self._build(scores.shape[0])
        what = f"{params.model} with {scores.shape[0]} classes"
        load_state(self._network, state, path, what)

    def _names(self, count: int) -> tuple[str, ...]:
        """What the network's classes are called."""
        names = self._params.classes
        published: Sequence[str] = get_model_weights(self._params.model).DEFAULT.meta["categories"]
        if names is None and count == len(published):
            names = ["background", *published[1:]]
        if names is None or len(names) != count:
            given = f"and {len(names)} are named" if names else "and their names are not given"
            raise InputError(
                f"the weights have {count} classes, {given}",
                where=str(self._params.weights),
                hint="name them in their order, `classes: [background, ...]`",
            )
        return tuple(names)

    def _build(self, classes: int) -> nn.Module:
        params = self._params
        options: dict[str, Any] = {}
        if self._apart:
            size = params.size or INSTANCE_SIZE
            options = {
                "min_size": size,
                "max_size": round(size * INSTANCE_LONGEST / INSTANCE_SIZE),
                "box_score_thresh": params.threshold,
                "box_detections_per_img": params.most,
            }
        elif not params.model.startswith("lraspp"):
            options = {"aux_loss": False}
        network: nn.Module = get_model(
            params.model, weights=None, weights_backbone=None, num_classes=classes, **options
        )
        return network

    # Not inference_mode: its tensors cannot be saved for a backward pass, and masks are.
    @torch.no_grad()
    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        """Segment a picture.

        Raises:
            InputError: the network does not know the class that was asked for.
        """
        self._network.to(image.device)
        if self._apart:
            return self._objects(image, prompt)
        seen = normalized(shrunk(image, self._seen_size(image)), IMAGENET_MEAN, IMAGENET_STD)
        scores: Tensor = self._network(seen)["out"]
        size = (image.shape[1], image.shape[2])
        return Segmentation(self._classes, enlarged(scores.softmax(dim=1)[0], size))

    def _seen_size(self, image: Tensor) -> tuple[int, int]:
        """The shorter side as the network wants it, the other in proportion."""
        height, width = image.shape[1:]
        short = self._params.size or SEMANTIC_SIZE
        long = min(int(short * max(height, width) / min(height, width)), LONGEST * short)
        return (short, long) if height <= width else (long, short)

    # --- objects ----------------------------------------------------------------------------------

    def _objects(self, image: Tensor, prompt: Prompt) -> Segmentation:
        for asked in prompt.classes:
            self._check_class(asked)
        instances = [
            Instance(self._classes[label], mask, score)
            for label, mask, score in self._detect(image)
            if self._classes[label] != _NONE
        ]
        found = {instance.class_name for instance in instances} | {*prompt.classes}
        names = ("background", *(name for name in self._classes[1:] if name in found))
        return Segmentation(names, _compose(names, instances, image), tuple(instances))

    def _check_class(self, asked: str) -> None:
        known = [name for name in self._classes[1:] if name != _NONE]
        if asked not in known:
            near = did_you_mean(asked, known, most=1)
            raise InputError(
                f"the segmenter does not know the class '{asked}'",
                hint=f"{near} it knows {', '.join(known)}".lstrip(),
            )

    def _detect(self, image: Tensor) -> list[tuple[int, Tensor, float]]:
        """Label, mask (1, H, W) and confidence of each object, the most confident first.

        The network does the same when it is called, except for its last step: that would paste
        every mask into one array, which takes twice the memory of what is kept.
        """
        network: Any = self._network
        batch, _ = network.transform([image])
        features = network.backbone(batch.tensors)
        proposals, _ = network.rpn(batch, features)
        (found,), _ = network.roi_heads(features, proposals, batch.image_sizes)
        size = (image.shape[1], image.shape[2])
        boxes = resize_boxes(found["boxes"], batch.image_sizes[0], size)
        return [
            (
                int(found["labels"][n]),
                paste_masks_in_image(found["masks"][n, None], boxes[n, None], size)[0].clamp(0, 1),
                float(found["scores"][n]),
            )
            for n in range(len(boxes))
        ]


def _compose(names: Sequence[str], instances: Sequence[Instance], image: Tensor) -> Tensor:
    """The probability of each class at each pixel, (K, H, W); see `Torchvision`."""
    masks = image.new_zeros(len(names), *image.shape[1:])
    shares = torch.zeros_like(masks)
    for instance in instances:
        number = names.index(instance.class_name)
        mask = instance.mask[0]
        masks[number] = torch.maximum(masks[number], mask)
        shares[number] = torch.maximum(shares[number], mask * instance.score)
    background = (1 - masks).prod(dim=0)
    # Objects with a confidence of 0 get nothing; what is left goes to the background.
    total = shares.sum(dim=0)
    shares *= ((1 - background) / total.clamp(min=1e-12)).where(total > 0, total)
    shares[0] = 1 - shares.sum(dim=0)
    return shares.clamp(0, 1)
