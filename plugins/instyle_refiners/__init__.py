"""Refiners: ``guided``, ``grabcut`` and ``matting``."""

from __future__ import annotations

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_refiners.params import GrabCutParams, GuidedParams, MattingParams

    return [
        Plugin(
            kind="refiner",
            name="guided",
            params=GuidedParams,
            factory="instyle_refiners.guided:GuidedRefiner",
            summary="Moves the mask's edge to the photo's edges by a guided filter.",
            source="He, Sun and Tang 2010, Guided Image Filtering",
        ),
        Plugin(
            kind="refiner",
            name="grabcut",
            params=GrabCutParams,
            factory="instyle_refiners.grabcut:GrabCutRefiner",
            summary="Cuts again where the mask is unsure, by the colors of object and background.",
            source="Rother, Kolmogorov and Blake 2004, GrabCut",
        ),
        Plugin(
            kind="refiner",
            name="matting",
            params=MattingParams,
            factory="instyle_refiners.matting:MattingRefiner",
            summary="Finds the opacity of hair, fur and blurred edges; mergers blend by it.",
            source="Levin, Lischinski and Weiss 2008, A Closed-Form Solution to Natural Image "
            "Matting",
        ),
    ]
