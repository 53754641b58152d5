"""Stages that wait for their parents, each handed out when all are done: a constant effort for each stage."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from itertools import islice

from ddbench.plan.graph import Stage


class Queue:
    """A stage is pending from ``add`` to ``done`` or ``drop``, and waits until ``take``.

    It is ready when no parent of it is pending. Stages of a kind are handed out in the order in which they got ready.
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
        """Number of stages that wait."""
        return len(self._waiting)

    def __contains__(self, key: str) -> bool:
        return key in self._waiting

    def add(self, stage: Stage, *, first: bool = False) -> None:
        """Let a stage wait: a new one, one to be made again, or, ``first`` before others, to be tried again."""
        key = stage.key
        again = key not in self._pending
        self._pending.add(key)
        self._waiting[key] = stage
        for parent in stage.parents:
            self._children[parent][key] = None
        self._missing[key] = sum(parent in self._pending for parent in stage.parents)
        if not self._missing[key]:
            (self._ready[stage.kind].appendleft if first else self._ready[stage.kind].append)(key)
        if again:
            for child in self._children[key]:
                if child in self._waiting:
                    self._missing[child] += 1

    def first(self, kind: str) -> Stage | None:
        """The ready stage of a kind whose turn it is."""
        ready = self._ready[kind]
        while ready:
            if (stage := self._valid(ready[0])) is not None:
                return stage
            ready.popleft()
        return None

    def next(self, kind: str, count: int) -> list[Stage]:
        """Up to ``count`` ready stages of a kind, in turn."""
        valid = (stage for key in self._ready[kind] if (stage := self._valid(key)) is not None)
        return list({stage.key: stage for stage in islice(valid, count)}.values())

    def take(self, stage: Stage) -> None:
        """Hand a ready stage out; it stays pending."""
        del self._waiting[stage.key]

    def done(self, key: str) -> None:
        """Its children wait for it no longer."""
        self._pending.discard(key)
        for child in self._children[key]:
            if (waiting := self._waiting.get(child)) is not None:
                self._missing[child] -= 1
                if not self._missing[child]:
                    self._ready[waiting.kind].append(child)

    def drop(self, stage: Stage) -> list[Stage]:
        """Take out a stage and all that wait for it, which cannot run any more: these, parents first, itself first."""
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
