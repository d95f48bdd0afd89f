"""Ctrl-C is held back once, in the main thread, and everything is as before afterwards."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from instyle_core.optimization.interrupts import AtOnce, deferred, raising

ASKING = [signal.SIGINT, signal.SIGTERM]
REPEATED = [signal.SIGHUP, signal.SIGXCPU]
SIGNALS = [*ASKING, *REPEATED]


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    """The handlers that a program begins with, whatever the tests run in."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in SIGNALS[1:]:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def handlers() -> list[Any]:
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.mark.parametrize("first", ASKING)
@pytest.mark.parametrize("second", ASKING)
def test_the_first_is_held_back_and_the_second_raises(
    first: signal.Signals, second: signal.Signals
) -> None:
    before = handlers()
    reached = []

    def work() -> None:
        with deferred() as asked:
            assert not asked()
            signal.raise_signal(first)
            assert asked()
            reached.append("after the first")
            signal.raise_signal(second)
            reached.append("after the second")

    with pytest.raises(AtOnce):
        work()
    assert reached == ["after the first"]
    assert handlers() == before


@pytest.mark.parametrize("first", REPEATED)
@pytest.mark.parametrize("second", SIGNALS)
@pytest.mark.parametrize("swapped", [True, False])
def test_what_comes_more_than_once_on_its_own_never_raises(
    first: signal.Signals, second: signal.Signals, swapped: bool
) -> None:
    """A terminal that goes away, and a limit of time: neither is somebody without patience."""
    before = handlers()
    with deferred() as asked:
        for number in (second, first) if swapped else (first, second):
            signal.raise_signal(number)
        assert asked()
    assert handlers() == before


def test_the_second_one_is_ctrl_c_to_those_who_do_not_care() -> None:
    assert issubclass(AtOnce, KeyboardInterrupt)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_everything_is_as_before_after_an_error(error: type[BaseException]) -> None:
    before = handlers()
    with pytest.raises(error), deferred():
        raise error
    assert handlers() == before


def test_everything_is_as_before_afterwards() -> None:
    before = handlers()
    with deferred():
        assert handlers() != before
    assert handlers() == before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_what_was_held_back_is_not_raised_later() -> None:
    with deferred() as asked:
        signal.raise_signal(signal.SIGINT)
    assert asked()
    with deferred() as again:
        assert not again()


def test_a_handler_of_the_program_stays() -> None:
    calls = []
    signal.signal(signal.SIGINT, lambda *_: calls.append("mine"))
    before = handlers()
    with deferred() as asked:
        assert handlers()[0] is before[0]
        signal.raise_signal(signal.SIGINT)
        assert not asked()
        signal.raise_signal(signal.SIGTERM)  # which the program does not handle
        assert asked()
    assert calls == ["mine"]
    assert handlers() == before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as by nohup, or in the background of a script
    with deferred() as asked:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert not asked()
    assert handlers()[0] is signal.SIG_IGN


def test_other_threads_change_nothing() -> None:
    before = handlers()
    seen: list[Any] = []

    def work() -> None:
        with deferred() as asked:
            seen.extend([handlers(), asked()])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before, False]
    assert handlers() == before


def test_each_of_nested_blocks_holds_back_one_of_its_own() -> None:
    with deferred() as outer:
        around = handlers()
        with deferred() as inner:
            signal.raise_signal(signal.SIGINT)
            assert inner()
            assert not outer()
        assert handlers() == around
        signal.raise_signal(signal.SIGINT)
        assert outer()
        with pytest.raises(AtOnce):
            signal.raise_signal(signal.SIGINT)


def test_an_inner_block_knows_what_the_outer_one_was_asked() -> None:
    with deferred():
        signal.raise_signal(signal.SIGINT)
        with deferred() as inner:
            assert inner()
            signal.raise_signal(signal.SIGINT)  # its own first one
            with pytest.raises(AtOnce):
                signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_would_end_the_program_raises(number: signal.Signals) -> None:
    before = handlers()
    with pytest.raises(KeyboardInterrupt), raising():
        signal.raise_signal(number)
    assert handlers() == before


@pytest.mark.parametrize("number", SIGNALS)
def test_what_would_raise_is_held_back(number: signal.Signals) -> None:
    with raising():
        around = handlers()
        with deferred() as asked:
            signal.raise_signal(number)
            assert asked()
        assert handlers() == around


def test_neither_what_is_ignored_nor_what_is_handled_raises() -> None:
    calls = []
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: calls.append("mine"))
    before = handlers()
    with raising():
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
    assert calls == ["mine"]
    assert handlers() == before
