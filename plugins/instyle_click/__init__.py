"""The segmenter ``click``: any object, by a click."""

from __future__ import annotations

import click

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    from instyle_click.params import ClickParams
    from instyle_click.weights import SHIPPED

    return [
        Plugin(
            kind="segmenter",
            name="click",
            params=ClickParams,
            factory="instyle_click.segmenter:Click",
            summary="Any object, from points on it, points beside it, or a box.",
            weights=(SHIPPED,),
            source="Sofiiuk et al. 2021, Reviving Iterative Training with Mask Guidance, "
            "arXiv:2102.06583",
        )
    ]


@hookimpl
def instyle_commands() -> list[click.Command]:
    from instyle_click.commands import click_group

    return [click_group]
