"""Networks that are loaded once for several runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from instyle_core.plugin.use import Use

#: The kinds whose things hold networks, which take long to load and do not change with use.
_KEPT = ("extractor", "segmenter")

#: So many of them are kept.
_MOST_KEPT = 8

_made: ContextVar[dict[str, Any] | None] = ContextVar("made", default=None)


@contextmanager
def keep_networks(made: dict[str, Any] | None = None) -> Iterator[None]:
    """Load the same network once within the block, however many runs and photos use it.

    That is, extractors and segmenters with the same parameters are made once; the last eight are
    kept.

    Args:
        made: holds them, for several blocks that share them.
    """
    token = _made.set({} if made is None else made)
    try:
        yield
    finally:
        _made.reset(token)


def kept(use: Use, create: Callable[[], Any]) -> Any:
    """What was made for a use before, if that is to be kept; else what is made now."""
    made = _made.get()
    if made is None or use.plugin.kind not in _KEPT:
        return create()
    key = repr(replace(use, refine=None))
    if key not in made:
        if len(made) >= _MOST_KEPT:
            made.pop(next(iter(made)))
        made[key] = create()
    return made[key]
