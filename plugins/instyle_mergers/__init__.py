"""Mergers: ``hard`` and ``feather``."""

from __future__ import annotations

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_mergers.params import FeatherParams, HardParams

    return [
        Plugin(
            kind="merger",
            name="hard",
            params=HardParams,
            factory="instyle_mergers.hard:HardMerger",
            summary="Replaces the object's pixels, with nothing done about the seam (the paper's).",
            source="Zhao and Zhang, section on merging",
        ),
        Plugin(
            kind="merger",
            name="feather",
            params=FeatherParams,
            factory="instyle_mergers.feather:FeatherMerger",
            summary="Blends across the boundary, over a band of a few pixels or by a soft matte.",
        ),
    ]
