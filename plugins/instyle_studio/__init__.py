"""The command ``instyle studio``: a page, and an HTTP API, to repaint photos with.

The server (`server`, `app`, `guard`, `photos`, `looking`, `painting`) imports no torch. Two worker
processes compute (`worker`): one paints (`painter`), the other segments and ranks (`looker`). What
there is lies in a folder (`session`), and nowhere else.
"""

from __future__ import annotations

import click

from instyle_core import hookimpl


@hookimpl
def instyle_commands() -> list[click.Command]:
    from instyle_studio.command import studio

    return [studio]
