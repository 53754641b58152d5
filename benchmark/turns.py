"""Threads that take turns: one runs at a time, and each finds the process as it left it.

Between two steps a thread lets the next one have its turn. On a card the work that a thread has asked for goes on
meanwhile, so that several small networks fill it. What a thread computes depends on no other: whose turn it is decides
when a step is asked for, never what it is.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

SLICE = 0.05
"""seconds after which a turn ends at the next ``offer``; putting the process in order costs about a hundredth of it"""


class Kept(Protocol):
    """What a thread finds in the process as it left it."""

    def leave(self) -> None:
        """Note the state of the process, at the end of a turn."""

    def enter(self, last: Any) -> None:
        """Put the process back into the state noted; ``last`` noted its present one."""


class Turns:
    """The turns of some threads, in a fixed order. ``kept`` is of each, ``before`` of the process as it is now."""

    def __init__(self, kept: Sequence[Kept], before: Kept) -> None:
        self.all = tuple(Turn(self, one) for one in kept)
        self._change = threading.Condition()
        self._order = deque(self.all)
        """the threads that have not ended; the first has its turn"""
        self._before = self._last = before
        """what was noted at the end of the turn before"""
        self._passed, self._since = 0.0, time.perf_counter()

    def put_back(self) -> None:
        """Once all threads have ended: put the process back as it was before."""
        self._before.enter(self._last)

    def clock(self) -> float:
        """Seconds, divided at every moment by the number of threads that have not ended: the differences of all threads
        add up to the time that passed."""
        with self._change:
            return self._read_clock()

    def _read_clock(self) -> float:
        now = time.perf_counter()
        self._passed += (now - self._since) / max(len(self._order), 1)
        self._since = now
        return self._passed

    def _wait(self, turn: Turn) -> None:
        with self._change:
            self._change.wait_for(lambda: turn.current)
        turn.since = time.perf_counter()
        turn.kept.enter(self._last)

    def _pass_on(self, turn: Turn) -> None:
        turn.kept.leave()
        turn.earlier, turn.since = turn.seconds, float("inf")
        with self._change:
            self._last = turn.kept
            self._order.rotate(-1)
            self._change.notify_all()

    def _end(self, turn: Turn) -> None:
        turn.earlier, turn.since = turn.seconds, float("inf")
        turn.kept.leave()
        self._last = turn.kept
        self.drop(turn)

    def drop(self, turn: Turn) -> None:
        """Have no more turns for a thread that has ended or was never started."""
        with self._change:
            if turn in self._order:
                self._read_clock()
                self._order.remove(turn)
                self._change.notify_all()


class Turn:
    """The turns of one thread."""

    def __init__(self, turns: Turns, kept: Kept) -> None:
        self.turns, self.kept = turns, kept
        self.since = float("inf")
        """when the present turn began"""
        self.earlier = 0.0
        """seconds of those before"""
        self.began = False
        self._ending: BaseException | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """In the thread: all that it does takes turns with the other threads."""
        token = _own.set(self)
        self.turns._wait(self)
        self.began = True
        try:
            self._raise_ending()
            yield
        finally:
            self.turns._end(self)
            _own.reset(token)

    @property
    def seconds(self) -> float:
        """Of its turns so far."""
        return self.earlier + self.lasts

    @property
    def lasts(self) -> float:
        """Seconds since the present turn began; 0 while it is another's."""
        return max(time.perf_counter() - self.since, 0.0)

    @property
    def current(self) -> bool:
        """Whether it is this thread's turn."""
        return next(iter(self.turns._order), None) is self

    def end(self, why: BaseException) -> None:
        """Have ``why`` raised in the thread, at the end of a turn or the beginning of one. Called by another thread."""
        self._ending = why

    def offer(self, at_once: bool) -> None:
        self._raise_ending()
        if len(self.turns._order) == 1 or not (at_once or time.perf_counter() - self.since >= SLICE):
            return
        self.turns._pass_on(self)
        self.turns._wait(self)
        self._raise_ending()

    def _raise_ending(self) -> None:
        why, self._ending = self._ending, None
        if why is not None:
            raise why


_own: ContextVar[Turn | None] = ContextVar("turn", default=None)


def offer() -> None:
    """Between two steps: let the next thread have its turn if this one's has been long. Nothing without others."""
    if (turn := _own.get()) is not None:
        turn.offer(at_once=False)


def give_way() -> None:
    """Before waiting for a device or for draws: let the next thread have its turn. Nothing without others."""
    if (turn := _own.get()) is not None:
        turn.offer(at_once=True)


def taking() -> bool:
    """Whether this thread takes turns with others."""
    return _own.get() is not None


def clock() -> float:
    """Seconds of a clock for costs: where threads take turns the time is divided among them, else all of it."""
    turn = _own.get()
    return turn.turns.clock() if turn is not None else time.perf_counter()
