"""Ctrl-C and SIGTERM: once to end what is under way and stop, twice to stop at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Stop:
    """Whether a stop was asked for. ``tell`` is called when it is, from within the signal's handler."""

    asked: bool = False
    tell: Callable[[], None] = lambda: None


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Within the block the first SIGINT or SIGTERM only sets ``asked``; the second raises KeyboardInterrupt.

    Signals reach the main thread alone; elsewhere nothing is changed.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(*_: Any) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True
        with contextlib.suppress(RuntimeError):  # a stream that was being written to at this very moment
            stop.tell()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
