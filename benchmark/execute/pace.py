"""How long the rest of a run takes, from the stages that ended, the progress of those under way, and earlier runs."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from ddbench.execute.history import sort_of
from ddbench.plan.graph import Stage
from ddbench.stages.run import StageResult

LEAST_SHARE, LEAST_SECONDS = 0.01, 2.0
"""of a stage that must have been seen to pass before its rate is believed: the first steps are slower than the rest"""


def unknown(_: Stage) -> float | None:
    """The cost of a stage of which nothing has been measured."""
    return None


@dataclass
class UnderWay:
    """A stage that was started at ``since`` (seconds of the monotonic clock)."""

    stage: Stage
    since: float
    first: tuple[float, float] | None = None
    """when progress was first seen, and the fraction that was done"""
    share: float | None = None
    """the latest fraction, None while the stage reports none"""

    def look(self, share: float | None, now: float) -> None:
        """Note the fraction that is done; one that falls belongs to another part of the stage's work."""
        if share is not None and (self.first is None or share < (self.share or 0.0)):
            self.first = now, share
        self.share = share if share is not None else self.share

    def left(self, now: float) -> float | None:
        """Seconds until it ends at the rate seen so far; None while that is not known."""
        if self.first is None or self.share is None:
            return None
        passed, done = now - self.first[0], self.share - self.first[1]
        if done < LEAST_SHARE or passed < LEAST_SECONDS:
            return None
        return (1 - self.share) * passed / done


class Pace:
    """Counts the stages of a run, and estimates the time left.

    A stage under way is expected to go on at its own rate; others to take as long as those of the same sort
    (``history.sort_of``) in this run, or else as ``cost(stage)`` says, or else as one of the same sort that is under
    way, or else as those of the same kind in this run.
    ``how_far(key)``: the fraction of a running stage that is done, or None.
    """

    def __init__(self, how_far: Callable[[str], float | None], cost: Callable[[Stage], float | None] = unknown) -> None:
        self.how_far, self.cost = how_far, cost
        self.total: Counter[str] = Counter()
        """of each kind"""
        self.done: Counter[str] = Counter()
        self.under_way: dict[str, UnderWay] = {}
        self.began = time.monotonic()
        self.most_at_once = 1
        self._sort: dict[str, str] = {}
        """key of a stage that has not ended -> its sort"""
        self._one: dict[str, Stage] = {}
        """sort -> a stage of it"""
        self._left: Counter[str] = Counter()
        """of each sort, neither ended nor under way"""
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)
        """by sort, and by kind"""
        self._projected: dict[str, float] = {}
        """by sort, and by kind: seconds that a stage under way will have taken at its rate"""

    def begin(self, to_run: list[Stage]) -> None:
        for stage in to_run:
            self.total[stage.kind] += 1
            sort = self._sort[stage.key] = sort_of(stage.task)
            self._one.setdefault(sort, stage)
            self._left[sort] += 1

    def start(self, stage: Stage) -> None:
        if stage.key not in self.under_way:
            self._left[self._sort.get(stage.key, "")] -= 1
        self.under_way[stage.key] = UnderWay(stage, time.monotonic())
        self.most_at_once = max(self.most_at_once, len(self.under_way))

    def finish(self, stage: Stage, result: StageResult) -> None:
        sort = self._sort.pop(stage.key, "")
        if self.under_way.pop(stage.key, None) is None:
            self._left[sort] -= 1
        self.done[stage.kind] += 1
        if result.seconds > 0:  # 0 when another driver made it or it could not run
            self._seconds[sort].append(result.seconds)
            self._seconds[stage.kind].append(result.seconds)

    def look(self) -> list[tuple[UnderWay, float | None]]:
        """The stages under way, each with the seconds that it is expected to take from now."""
        now, found = time.monotonic(), []
        for one in list(self.under_way.values()):
            one.look(self.how_far(one.stage.key), now)
            left, sort = one.left(now), self._sort.get(one.stage.key, "")
            if left is not None:
                self._projected[sort] = self._projected[one.stage.kind] = now - one.since + left
            if left is None and (whole := self._expected(sort) or 0.0) > now - one.since:
                left = whole - (now - one.since)  # unknown for one that already took longer
            found.append((one, left))
        return found

    def remaining(self) -> str:
        """``1:20``, or ``at least 1:20`` while some stages are of unknown cost."""
        running = [left for _, left in self.look()]
        rest = [(n, self._expected(sort)) for sort, n in list(self._left.items()) if n > 0 and sort]
        known = all(left is not None for left in (*running, *(each for _, each in rest)))
        work = sum(filter(None, running)) + sum(n * (each or 0.0) for n, each in rest)
        left = max(work / self.most_at_once, *filter(None, running), 0.0)
        return minutes(left) if known else f"at least {minutes(left)}" if round(left) else "unknown"

    def _expected(self, sort: str) -> float | None:
        stage = self._one.get(sort)
        if stage is None:
            return None
        measured, kind = self._seconds, stage.kind
        if measured[sort]:
            return fmean(measured[sort])
        for known in (self.cost(stage), self._projected.get(sort), fmean(measured[kind]) if measured[kind] else None):
            if known is not None:
                return known
        return self._projected.get(kind)


def minutes(seconds: float) -> str:
    """``1:20``, ``2:01:20``."""
    whole, rest = divmod(round(seconds), 60)
    hours, whole = divmod(whole, 60)
    return f"{hours}:{whole:02}:{rest:02}" if hours else f"{whole}:{rest:02}"
