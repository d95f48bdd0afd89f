"""The command ``instyle batch``: many photos by one spec.

A photo and a style are a `Job`. `photo.paint` carries it out, in whatever process; the engines
(`engines`) call it here, in a process for each device, or on a cluster. What there is to do comes
from `work`, with what is found by `inputs` and `watch`; what was done goes to `report`.
"""

from __future__ import annotations

import click

from instyle_core import hookimpl


@hookimpl
def instyle_commands() -> list[click.Command]:
    from instyle_batch.command import batch

    return [batch]
