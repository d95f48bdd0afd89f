"""Rankers: ``affinity``."""

from __future__ import annotations

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_rankers.params import AffinityParams

    return [
        Plugin(
            kind="ranker",
            name="affinity",
            params=AffinityParams,
            factory="instyle_rankers.affinity:AffinityRanker",
            summary="Prefers pictures whose features and colors are like the object's.",
            source="Li and Wand 2016, arXiv:1601.04589, equation 3, for features; Olkin and "
            "Pukelsheim 1982, and Pitié and Kokaram 2007, for colors",
        )
    ]
