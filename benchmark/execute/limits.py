"""Limits on the duration of a stage and on the time without progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """Seconds for a whole attempt, and seconds without progress; None for no limit.

    Progress is what a stage reports through ``ctx.progress``. A stage that has reported none yet is never stalled.
    """

    kind: str = ""
    """kind of the stage, for messages"""
    seconds: float | None = None
    stall: float | None = None

    def times(self, n: int, more: float = 0.0) -> Limit:
        """For ``n`` stages that take turns, all of them: ``n`` times as long, and ``more`` seconds."""
        seconds, stall = (None if one is None else n * one + more for one in (self.seconds, self.stall))
        return Limit(self.kind, seconds, stall)

    def __bool__(self) -> bool:
        return self.seconds is not None or self.stall is not None


class Clock:
    """Times one attempt, from construction. ``how_far()``: the fraction that is done, None when it is not reported.
    ``passed()``: seconds that count, by default all."""

    def __init__(
        self, limit: Limit, how_far: Callable[[], float | None], passed: Callable[[], float] | None = None
    ) -> None:
        self._limit, self._how_far, self._passed = limit, how_far, passed or (lambda: time.monotonic())
        self._began = self._moved = self._passed()
        self._share: float | None = None

    def broken(self) -> str | None:
        """Which limit is exceeded, and how far the stage was; None while there is none."""
        now, share = self._passed(), self._how_far()
        if share is not None and share != self._share:
            self._share, self._moved = share, now
        far = "it had told no progress" if self._share is None else f"it was {self._share:.0%} done"
        limit = self._limit
        if limit.seconds is not None and now - self._began > limit.seconds:
            return f"it took longer than the {limit.seconds:g} s of timeouts.{limit.kind}; {far}"
        if limit.stall is not None and self._share is not None and now - self._moved > limit.stall:
            return f"no progress for the {limit.stall:g} s of stall; {far}"
        return None
