"""Delays signals that end a program until they do no harm: between two steps, or after writing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: Signals of somebody who may have no patience. SIGTERM is how a cluster ends a job.
_ASKING = (signal.SIGINT, signal.SIGTERM)

#: Signals that come more than once on their own: a terminal that goes away, a limit of processor
#: time that is reached, after which one comes each second. Windows has neither.
_REPEATED = tuple(getattr(signal, name) for name in ("SIGHUP", "SIGXCPU") if hasattr(signal, name))

#: The signals that are held back, with their default handlers.
_DEFAULTS = {
    number: signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
    for number in (*_ASKING, *_REPEATED)
}


class AtOnce(KeyboardInterrupt):
    """Raised at the second signal, wherever the program is, so that work may be half done."""


class _Deferral:
    """A signal handler that notes the first signal, and raises at the second Ctrl-C or SIGTERM."""

    def __init__(self) -> None:
        self.received = self.asked = False
        self.outer: _Deferral | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number in _ASKING:
            raise AtOnce
        self.received = True
        self.asked = self.asked or number in _ASKING

    def stop_requested(self) -> bool:
        return self.received or (self.outer is not None and self.outer.stop_requested())


@contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Hold back SIGHUP, SIGXCPU, and the first Ctrl-C or SIGTERM within the block.

    A second Ctrl-C or SIGTERM raises.

    Each of nested blocks holds back a signal of its own. Nothing changes outside of the main
    thread, which alone receives signals, nor for a signal that the program ignores or has its own
    handler for.

    Yields:
        A function that tells whether a signal came in this block or in one around it.

    Raises:
        AtOnce: at the second Ctrl-C or SIGTERM, at any place in the block.
    """
    handler = _Deferral()
    earlier = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number, default in _DEFAULTS.items():
                present = signal.getsignal(number)
                if isinstance(present, _Deferral):
                    handler.outer = present
                if present in (default, signal.default_int_handler, handler.outer):
                    earlier[number] = present
                    signal.signal(number, handler)
        yield handler.stop_requested
    finally:
        for number, present in earlier.items():
            signal.signal(number, present)


@contextmanager
def raising() -> Iterator[None]:
    """Let signals that would end the program raise `KeyboardInterrupt` within the block, as Ctrl-C.

    So the block can clean up. `deferred` holds them back as it does without; otherwise, too, what
    is said there holds.
    """
    earlier = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in _DEFAULTS:
                if signal.getsignal(number) is signal.SIG_DFL:
                    earlier[number] = signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number, present in earlier.items():
            signal.signal(number, present)
