"""Ctrl-C and SIGTERM: the first lets running stages finish, the second stops at once."""

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
    """Whether a stop was requested. ``tell`` is called from the signal handler when it is."""

    asked: bool = False
    tell: Callable[[], None] = lambda: None


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Within the block the first SIGINT or SIGTERM only sets ``asked``; the second raises KeyboardInterrupt.

    Signals reach the main thread alone; in another thread the block changes nothing.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(*_: Any) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True
        with contextlib.suppress(RuntimeError):  # the signal interrupted a write to the same stream
            stop.tell()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
