"""Segmenters that need no weights: ``mask`` and ``grabcut``."""

from __future__ import annotations

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_segmenters.params import GrabCutParams, MaskParams

    return [
        Plugin(
            kind="segmenter",
            name="mask",
            params=MaskParams,
            factory="instyle_segmenters.mask:MaskSegmenter",
            summary="A mask of your own, from a picture file.",
        ),
        Plugin(
            kind="segmenter",
            name="grabcut",
            params=GrabCutParams,
            factory="instyle_segmenters.grabcut:GrabCut",
            summary="Cuts out what a box or a point marks, by colour and edges; needs no weights.",
            source="Rother, Kolmogorov and Blake 2004, GrabCut",
        ),
    ]
