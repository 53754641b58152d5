"""A queue of stages that are ready when their parents are done, with constant cost for each stage and parent."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from itertools import islice

from ddbench.plan.graph import Stage


class Queue:
    """A stage is pending from ``add`` to ``done`` or ``drop``, and waiting from ``add`` to ``take``.

    It is ready when none of the stages that it waits for, here called its parents, is pending. Stages of one kind come
    in the order in which they became ready.
    """

    def __init__(self, stages: Iterable[Stage] = ()) -> None:
        self._waiting: dict[str, Stage] = {}
        self._pending: set[str] = set()
        self._missing: dict[str, int] = {}
        self._children: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._ready: defaultdict[str, deque[str]] = defaultdict(deque)
        stages = list(stages)
        self._pending.update(stage.key for stage in stages)
        for stage in stages:
            self.add(stage)

    def __len__(self) -> int:
        """Number of waiting stages."""
        return len(self._waiting)

    def __contains__(self, key: str) -> bool:
        return key in self._waiting

    def add(self, stage: Stage, *, first: bool = False) -> None:
        """Add a stage: a new one, one to be made again, or one to be tried again, ``first`` in its kind."""
        key = stage.key
        again = key not in self._pending
        self._pending.add(key)
        self._waiting[key] = stage
        for parent in stage.waits_for:
            self._children[parent][key] = None
        self._missing[key] = sum(parent in self._pending for parent in stage.waits_for)
        if not self._missing[key]:
            (self._ready[stage.kind].appendleft if first else self._ready[stage.kind].append)(key)
        if again:
            for child in self._children[key]:
                if child in self._waiting:
                    self._missing[child] += 1

    def first(self, kind: str) -> Stage | None:
        """The first ready stage of a kind, or None."""
        ready = self._ready[kind]
        while ready:
            if (stage := self._valid(ready[0])) is not None:
                return stage
            ready.popleft()
        return None

    def next(self, kind: str, count: int) -> list[Stage]:
        """The first ``count`` ready stages of a kind, or fewer."""
        valid = (stage for key in self._ready[kind] if (stage := self._valid(key)) is not None)
        return list({stage.key: stage for stage in islice(valid, count)}.values())

    def take(self, stage: Stage) -> None:
        """Remove a ready stage from those that wait; it stays pending."""
        del self._waiting[stage.key]

    def done(self, key: str) -> None:
        """Mark a stage as done; children without other pending parents become ready."""
        self._pending.discard(key)
        for child in self._children[key]:
            if (waiting := self._waiting.get(child)) is not None:
                self._missing[child] -= 1
                if not self._missing[child]:
                    self._ready[waiting.kind].append(child)

    def drop(self, stage: Stage) -> list[Stage]:
        """Remove a failed stage and its waiting dependants, which cannot run; returns them all, the stage first."""
        self._waiting.pop(stage.key, None)
        dropped = [stage]
        for broken in dropped:
            self._pending.discard(broken.key)
            for child in self._children[broken.key]:
                if child in self._waiting:
                    dropped.append(self._waiting.pop(child))
        return dropped

    def _valid(self, key: str) -> Stage | None:
        stage = self._waiting.get(key)
        return stage if stage is not None and not self._missing[key] else None
