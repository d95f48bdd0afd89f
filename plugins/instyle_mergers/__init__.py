"""Mergers: ``hard``, ``feather``, ``multiband`` and ``mrf``."""

from __future__ import annotations

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_mergers.params import FeatherParams, HardParams, MRFParams, MultibandParams

    return [
        Plugin(
            kind="merger",
            name="hard",
            params=HardParams,
            factory="instyle_mergers.hard:HardMerger",
            summary="Replaces the object's pixels, and leaves the seam hard (the paper's).",
            source="Zhao and Zhang, section on merging",
        ),
        Plugin(
            kind="merger",
            name="feather",
            params=FeatherParams,
            factory="instyle_mergers.feather:FeatherMerger",
            summary="Blends across the boundary, over a band of a few pixels or by a soft matte.",
        ),
        Plugin(
            kind="merger",
            name="multiband",
            params=MultibandParams,
            factory="instyle_mergers.multiband:MultibandMerger",
            summary="Blends coarse structure over a wide band, fine structure over a narrow one.",
            source="Burt and Adelson 1983, A Multiresolution Spline",
        ),
        Plugin(
            kind="merger",
            name="mrf",
            params=MRFParams,
            factory="instyle_mergers.mrf:MRFMerger",
            summary="Lets the seam run where it shows least, by a Markov random field.",
            source="Kwatra et al. 2003, Graphcut Textures; Boykov and Jolly 2001",
        ),
    ]
