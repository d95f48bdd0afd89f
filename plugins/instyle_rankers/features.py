"""How far an object's local features are from those of a style picture."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

#: Cells of the object that are compared with all of the style's at once, which bounds memory.
_CHUNK = 1024


def feature_distance(content: Tensor, mask: Tensor, style: Tensor) -> float:
    """How badly the object's cells can be replaced by cells of the style.

    ``d = sum_p m_p (1 - max_q cos(F_p, S_q)) / sum_p m_p`` with the object's features F_p, its mask
    m_p and the style's features S_q. The cosine compares patterns whatever their contrast.
    (The style's mean is not subtracted, as it is in the contextual loss of Mechrez et al. 2018: all
    cells of a picture that is far from that mean would point the same way, and would seem near to
    every flat spot of the style.)

    Source: Li and Wand 2016, "Combining Markov Random Fields and Convolutional Neural Networks for
    Image Synthesis", arXiv:1601.04589, equation 3, for patches of one cell.

    Args:
        content: F, (1, C, h, w).
        mask: m, (1, 1, h, w), in [0, 1].
        style: S, (1, C, h', w').

    Returns:
        In [0, 1] for features that are never negative, else in [0, 2]; 0 where each cell of the
        object is one of the style's, and without an object.
    """
    cells, others = (F.normalize(maps.flatten(2)[0], dim=0) for maps in (content, style))
    weights = mask.flatten()
    cells, weights = cells[:, weights > 0], weights[weights > 0]
    nearest = [(chunk.T @ others).amax(dim=1) for chunk in torch.split(cells, _CHUNK, dim=1)]
    if not len(weights):
        return 0.0
    distances = 1 - torch.cat(nearest)
    return float(((weights * distances).sum() / weights.sum()).clamp(min=0))
