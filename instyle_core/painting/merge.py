"""Merges the painting of a crop into the photo, and measures the seam."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from instyle_core.objects.boxes import box_of, crop
from instyle_core.objects.find import FoundObject
from instyle_core.painting.crop import Crop, put_back
from instyle_core.painting.ranking import dump_ranking
from instyle_core.painting.seam import measure_seam


def merge(found: FoundObject, part: Crop, picture: Tensor) -> tuple[Tensor, dict[str, Any]]:
    """Merge the painting of a crop into it, at the resolution of the photo.

    Args:
        found: the object.
        part: the crop around it.
        picture: the painting of the crop, (3, h, w), of any size.

    Returns:
        The crop with the object repainted, (3, H, W), and facts for ``run.json``.
    """
    facts: dict[str, Any] = {"crop": list(found.box), "worked_at": list(picture.shape[1:])}
    if found.ranking:
        ranking = dump_ranking(found.ranking)
        facts["style"] = {"chosen": str(found.styles[0]), "ranking": ranking}
    stylized = put_back(part, picture)
    if found.number is None:
        return stylized, facts
    mask = found.mask.each(lambda layer: crop(layer, found.box))
    merged = found.plan.merger.create().merge(part.behind, stylized, mask)
    merged = torch.where(part.paints > 0, merged, part.behind)
    facts["box"] = list(box_of(found.mask.decision))
    facts["pixels"] = int(found.mask.decision.sum())
    facts["seam"] = vars(measure_seam(part.behind, stylized, merged, mask))
    return merged, facts
