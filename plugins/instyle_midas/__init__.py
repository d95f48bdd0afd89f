"""Depth: the extractor ``midas``, which estimates it, and the loss ``depth``, which keeps it."""

from __future__ import annotations

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_midas.params import DepthParams, MidasParams
    from instyle_midas.weights import PUBLISHED

    return [
        Plugin(
            kind="extractor",
            name="midas",
            params=MidasParams,
            factory="instyle_midas.midas:Midas",
            summary="How near things are: MiDaS (DPT), Depth Anything V2 or a folder of yours.",
            weights=tuple(PUBLISHED.values()),
            source="Ranftl et al. 2020, arXiv:1907.01341, and 2021, arXiv:2103.13413; Yang et al. "
            "2024, arXiv:2406.09414",
        ),
        Plugin(
            kind="loss",
            name="depth",
            params=DepthParams,
            factory="instyle_midas.depth:DepthLoss",
            summary="Keeps the photo's depth: what is nearer and what is farther.",
            source="Zhao and Zhang, section on style transfer; Liu et al. 2017, depth-aware neural "
            "style transfer; Ranftl et al. 2020, arXiv:1907.01341, equations 6 and 7",
        ),
    ]
