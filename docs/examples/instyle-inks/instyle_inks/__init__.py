"""The loss ``inks``, a plugin of instyle.

`instyle plugins list` and `instyle pipeline validate` read this file and ``params.py``: both import
nothing heavy, so that they answer at once.
"""

from __future__ import annotations

from instyle_core import Plugin, hookimpl


@hookimpl
def instyle_plugins() -> list[Plugin]:
    """Announce what this package brings."""
    from instyle_inks.params import InksParams

    return [
        Plugin(
            kind="loss",
            name="inks",
            params=InksParams,
            factory="instyle_inks.loss:InksLoss",  # imported when a spec uses it
            summary="Takes over the colors of the style, and nothing of its brushwork.",
            source="after Reinhard, Ashikhmin, Gooch and Shirley 2001, Color Transfer",
            api=1,
        )
    ]
