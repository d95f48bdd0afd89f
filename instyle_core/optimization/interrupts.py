"""Delays Ctrl-C until it does no harm: between two steps, or once the files are written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: The signals that are held back, with their default handlers. SIGTERM is how a cluster ends a job.
_DEFAULTS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


class AtOnce(KeyboardInterrupt):
    """Raised at the second signal, wherever the program is, so that work may be half done."""


class _Deferral:
    """A signal handler that notes the first signal, and raises at the second."""

    def __init__(self) -> None:
        self.received = False
        self.outer: _Deferral | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.received:
            raise AtOnce
        self.received = True

    def stop_requested(self) -> bool:
        return self.received or (self.outer is not None and self.outer.stop_requested())


@contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Hold back the first Ctrl-C or SIGTERM within the block; a second one raises.

    Each of nested blocks holds back a signal of its own. Nothing changes outside of the main
    thread, which alone receives signals, nor for a signal that the program ignores or has its own
    handler for.

    Yields:
        A function that tells whether a signal came in this block or in one around it.

    Raises:
        AtOnce: at the second signal, at any place in the block.
    """
    handler = _Deferral()
    earlier = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number, default in _DEFAULTS.items():
                present = signal.getsignal(number)
                if isinstance(present, _Deferral):
                    handler.outer = present
                if present is default or present is handler.outer:
                    earlier[number] = present
                    signal.signal(number, handler)
        yield handler.stop_requested
    finally:
        for number, present in earlier.items():
            signal.signal(number, present)
