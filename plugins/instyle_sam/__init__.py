"""Segmenters that take a download: ``sam``, any object at a click, and ``text``, one by words."""

from __future__ import annotations

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_sam.params import SamParams, TextParams
    from instyle_sam.weights import READERS, SAMS

    return [
        Plugin(
            kind="segmenter",
            name="sam",
            params=SamParams,
            factory="instyle_sam.sam:Sam",
            summary="Any object, by points, a box or without either: Segment Anything, SAM 2; "
            "weights by download.",
            weights=tuple(SAMS.values()),
            source="Kirillov et al. 2023, arXiv:2304.02643; Ravi et al. 2024, arXiv:2408.00714",
        ),
        Plugin(
            kind="segmenter",
            name="text",
            params=TextParams,
            factory="instyle_sam.text:Text",
            summary="Any object, by words: Grounding DINO with `sam`, or CLIPSeg; weights by "
            "download.",
            weights=(*READERS.values(), *SAMS.values()),
            source="Liu et al. 2023, arXiv:2303.05499; Lüddecke and Ecker 2022, arXiv:2112.10003",
        ),
    ]
