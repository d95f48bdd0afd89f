"""Ctrl-C when it suits: between two steps, or once the files are written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

#: What is held back, and the handler that it has where nobody has thought about it. SIGTERM is how
#: a cluster asks for its machine.
_DEFAULTS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


class AtOnce(KeyboardInterrupt):
    """The second signal: it comes anywhere, also where work is half done."""


class _Deferral:
    """A signal handler that takes note of the first signal, and raises at the second."""

    def __init__(self) -> None:
        self.asked = False
        self.around: _Deferral | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise AtOnce
        self.asked = True

    def stop_is_asked_for(self) -> bool:
        return self.asked or (self.around is not None and self.around.stop_is_asked_for())


@contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Hold back the first Ctrl-C or SIGTERM within the block; a second one raises.

    Gives a function that tells whether there has been one, in this block or in one around it. Each
    of nested blocks holds back one of its own. Nothing changes outside of the main thread, which
    alone gets signals, nor for a signal that the program ignores or has a handler of its own for.

    Raises:
        AtOnce: at the second signal, wherever the block is.
    """
    handler = _Deferral()
    earlier = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number, default in _DEFAULTS.items():
                present = signal.getsignal(number)
                if isinstance(present, _Deferral):
                    handler.around = present
                if present is default or present is handler.around:
                    earlier[number] = present
                    signal.signal(number, handler)
        yield handler.stop_is_asked_for
    finally:
        for number, present in earlier.items():
            signal.signal(number, present)
