"""The objects in a segmentation: the instances that a model told apart, or connected components."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from instyle_core.interfaces.pictures import Box, Mask, Point
from instyle_core.interfaces.segmenter import Instance, Prompt, Segmentation

BACKGROUND = "background"


@dataclass(frozen=True, eq=False)
class Candidate(ABC):
    """An object that may be the selected one. There may be thousands; `mask_of` makes the mask.

    Attributes:
        class_name: its class.
        area: in pixels.
        score: the confidence, in [0, 1]: the model's, or the mean probability of a component.
    """

    class_name: str
    area: int
    score: float

    @property
    def is_speck(self) -> bool:
        """Whether it is a component of less than a thousandth of the picture."""
        return False

    @property
    def parts(self) -> Sequence[Candidate]:
        """What it is made of."""
        return (self,)

    @abstractmethod
    def holds(self, point: Point) -> bool:
        """Whether a pixel of the picture is one of its own."""

    def mask(self) -> Mask:
        """The mask of the object."""
        return mask_of([self])


def candidates_of(segmentation: Segmentation, prompt: Prompt) -> list[Candidate]:
    """The objects of the classes and in the box of a prompt, in any order.

    Several classes are one: the connected components of their union are the objects, also where
    the segmenter has instances, since these are of one class each.

    Args:
        segmentation: what the segmenter saw.
        prompt: its classes are the segmenter's. If it has points, objects that hold none of them
            may be left out.
    """
    if segmentation.instances is None or len(prompt.classes) > 1:
        return [*_components(segmentation, prompt)]
    asked = [
        i for i in segmentation.instances if i.class_name in (prompt.classes or (i.class_name,))
    ]
    found = [_InstanceCandidate.of(instance, prompt.box) for instance in asked]
    return [candidate for candidate in found if candidate.area]


def mask_of(chosen: Sequence[Candidate]) -> Mask:
    """The union of the masks of candidates."""
    masks, numbers = [], defaultdict(list)
    for part in (part for candidate in chosen for part in candidate.parts):
        if isinstance(part, _InstanceCandidate):
            masks.append(part.own_mask())
        elif isinstance(part, _ComponentCandidate):
            numbers[part.whole].append(part.number)
    return reduce(_union, masks + [whole.mask_of(chosen) for whole, chosen in numbers.items()])


@dataclass(frozen=True, eq=False)
class Together(Candidate):
    """Several candidates as one object."""

    members: Sequence[Candidate]

    @classmethod
    def of(cls, members: Sequence[Candidate]) -> Together:
        names = dict.fromkeys(member.class_name for member in members)
        area = int(mask_of(members).decision.sum())
        total = sum(member.area for member in members)
        score = sum(member.score * member.area for member in members) / total
        return cls(", ".join(names), area, score, members)

    @property
    def parts(self) -> Sequence[Candidate]:
        return self.members

    def holds(self, point: Point) -> bool:
        return any(member.holds(point) for member in self.members)


@dataclass(frozen=True, eq=False)
class _InstanceCandidate(Candidate):
    """An instance of a segmenter that has them."""

    instance: Instance
    box: Box | None

    @classmethod
    def of(cls, instance: Instance, box: Box | None) -> _InstanceCandidate:
        candidate = cls(instance.class_name, 0, instance.score, instance, box)
        return replace(candidate, area=int(candidate.own_mask().decision.sum()))

    def own_mask(self) -> Mask:
        mask = self.instance.mask
        return _within(self.box, Mask(mask, (mask >= 0.5).float()))

    def holds(self, point: Point) -> bool:
        x, y = point
        x0, y0, x1, y1 = self.box or (0, 0, x + 1, y + 1)
        return x0 <= x < x1 and y0 <= y < y1 and bool(self.instance.mask[0, y, x] >= 0.5)


@dataclass(frozen=True, eq=False)
class _Class:
    """The connected components of a class, or of several as one.

    Attributes:
        probability: (1, H, W), that of the whole class.
        labels: (H, W), the number of each pixel's component; 0 for pixels of none.
        count: of the components.
    """

    probability: Tensor
    labels: NDArray[np.int32]
    count: int

    @cached_property
    def nearest(self) -> NDArray[np.int32]:
        """(H, W), the number of the component that is nearest to each pixel."""
        outside = (self.labels == 0).astype(np.uint8)
        # Its components (8 neighbors) have the numbers that `connectedComponents` gives them.
        _, nearest = cv2.distanceTransformWithLabels(
            outside, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
        )
        return np.asarray(nearest, np.int32)

    def mask_of(self, numbers: Sequence[int]) -> Mask:
        """The union of components; a pixel's probability belongs to the nearest component."""
        device = self.probability.device
        if len(numbers) == self.count:
            decision = torch.from_numpy(self.labels > 0).to(device)
            return Mask(self.probability, decision[None].float())
        is_chosen = np.zeros(self.count + 1, dtype=bool)
        is_chosen[list(numbers)] = True
        decision = torch.from_numpy(is_chosen[self.labels]).to(device)
        near = torch.from_numpy(is_chosen[self.nearest]).to(device)
        return Mask(self.probability * near, decision[None].float())


@dataclass(frozen=True, eq=False)
class _ComponentCandidate(Candidate):
    """A connected component of a class, by its number."""

    whole: _Class
    number: int

    @property
    def is_speck(self) -> bool:
        return self.area < 1e-3 * self.whole.labels.size

    def holds(self, point: Point) -> bool:
        x, y = point
        return bool(self.whole.labels[y, x] == self.number)


def _components(segmentation: Segmentation, prompt: Prompt) -> Iterator[_ComponentCandidate]:
    """The connected components (8 neighbors) of each class that fits, or of several together."""
    probabilities, names = segmentation.probabilities, segmentation.classes
    for group in _groups(segmentation, prompt):
        mask = _within(prompt.box, class_mask(probabilities, *group))
        inside = mask.decision[0].cpu().numpy().astype(np.uint8)
        count, labels, statistics, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
        own = labels > 0
        weights = sum(probabilities[index].cpu().numpy()[own] for index in group)
        sums = np.bincount(labels[own], weights=weights, minlength=count)
        whole = _Class(mask.probability, np.asarray(labels, np.int32), count - 1)
        name = ", ".join(names[index] for index in group)
        for number in range(1, count):
            area = int(statistics[number, cv2.CC_STAT_AREA])
            score = min(1.0, float(sums[number] / area))
            yield _ComponentCandidate(name, area, score, whole, number)


def _groups(segmentation: Segmentation, prompt: Prompt) -> list[list[int]]:
    """The classes whose components are looked for, by number: those of a group as one class."""
    names = segmentation.classes
    if prompt.classes:
        return [[names.index(name) for name in prompt.classes]]
    winner = most_probable(segmentation.probabilities)
    if prompt.points:
        x, y = torch.tensor(prompt.points).T
        winner = winner[y, x]
    shares = torch.bincount(winner.flatten(), minlength=len(names)).tolist()
    return [[n] for n, share in enumerate(shares) if share and names[n] != BACKGROUND]


def most_probable(probabilities: Tensor) -> Tensor:
    """The number of each pixel's most probable class, (H, W), out of (K, H, W); the first of equal
    ones.

    `argmax` gives the same in ten times the time.
    """
    best = probabilities[0].clone()
    winner = torch.zeros_like(best, dtype=torch.int16)
    for index, probability in enumerate(probabilities[1:], start=1):
        winner.masked_fill_(probability > best, index)
        torch.maximum(best, probability, out=best)
    return winner


def class_mask(probabilities: Tensor, *indices: int) -> Mask:
    """The mask of one class, or of several as one, out of the probabilities p of K classes.

    The probability of several classes c is the sum of theirs, as that of a class which a network
    does not divide into them; so there is no gap where two of them meet. The mask's decision is 1
    where it is above that of any other class; of equal ones, the first class has the pixel. Its
    probability compares it with the most probable other class, ``p_c / (p_c + max_{k not in c}
    p_k)``, so that it is above one half exactly where the decision is 1, but for such ties. With
    two classes it is p_c.

    Args:
        probabilities: p, (K, H, W).
        indices: c, at least one.
    """
    first = min(indices)
    own = probabilities[first] if len(indices) == 1 else probabilities[list(indices)].sum(dim=0)
    before, after = torch.full_like(own, -1), torch.full_like(own, -1)
    for index, other in enumerate(probabilities):
        if index not in indices:
            most = before if index < first else after
            torch.maximum(most, other, out=most)
    decision = (own > before) & (own >= after)
    most = torch.maximum(before, after, out=after).clamp_(min=0)
    probability = own / most.add_(own).clamp_(min=1e-12)
    return Mask(probability[None], decision[None].float())


def _union(one: Mask, other: Mask) -> Mask:
    return Mask(
        torch.maximum(one.probability, other.probability),
        torch.maximum(one.decision, other.decision),
    )


def _within(box: Box | None, mask: Mask) -> Mask:
    """The part of a mask inside of a box, if there is one."""
    if box is None:
        return mask
    x0, y0, x1, y1 = box
    inside = torch.zeros_like(mask.decision)
    inside[:, y0:y1, x0:x1] = 1
    return Mask(mask.probability * inside, mask.decision * inside)
