"""Classes that cover little of a picture have to be surer."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from torch import Tensor


def with_prior(probabilities: Tensor, strength: float) -> Tensor:
    """Weight classes by how much of the picture they cover: ``p_c <- p_c P_c^a``, normalized.

    P_c is the mean of p_c over the picture. Background keeps its probability; only what is not
    background is shared out anew, so that an object's outline stays the same.

    Source: the image-level prior of Shotton, Johnson and Cipolla 2008, Semantic Texton Forests for
    Image Categorization and Segmentation, section 5; there, P_c comes from a classifier.

    Args:
        probabilities: p, (K, H, W), background first.
        strength: a; 0 changes nothing.
    """
    objects = probabilities[1:]
    cover = objects.mean(dim=(1, 2), keepdim=True)
    weights = (cover / cover.max().clamp(min=1e-12)) ** strength
    weighted = objects * weights
    share = weighted / weighted.sum(dim=0).clamp(min=1e-12)
    result = probabilities.clone()
    result[1:] = share * objects.sum(dim=0)
    return result
