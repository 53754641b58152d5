"""The graph of a study: stages, each with the key of what it reads, and the evaluate stage of each cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ddbench.config.schema import STAGE_KINDS, StageKind
from ddbench.types import Cell


@dataclass(frozen=True)
class Stage:
    """One piece of work. ``task`` is all that it reads, as JSON; ``key`` is its digest."""

    kind: StageKind
    key: str
    task: dict[str, Any]
    parents: tuple[str, ...]
    """keys of the stages whose artifacts it reads"""
    label: str
    """for messages: the first cell or configuration that needs it"""
    addresses: dict[str, str] = field(default_factory=dict)
    """import addresses of the classes that the task names (``config.addresses``); no part of the key"""
    after: tuple[str, ...] = ()
    """keys of further stages that must have succeeded before it; no part of the key, but for what the chain of an
    evaluate stage names, which it reads"""
    location: dict[str, Any] = field(default_factory=dict)
    """the options of the dataset that are no part of the key: its folder, its name"""
    plugins: tuple[str, ...] = ()
    """plug-in files that register what the task names; a worker loads them first"""
    memory_gib: float = 0.0
    """device memory that its method declares; 0: unknown"""

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Keys of the stages that must be done before it."""
        return (*self.parents, *self.after)

    @property
    def threads(self) -> int:
        return int(self.task["threads"])


@dataclass(frozen=True)
class Plan:
    """Stages by key, parents before children, and the key of the evaluate stage of every cell."""

    stages: dict[str, Stage]
    cells: dict[Cell, str]

    def counts(self) -> dict[str, int]:
        """Number of stages of each kind."""
        counted = Counter(stage.kind for stage in self.stages.values())
        return {kind: counted.get(kind, 0) for kind in STAGE_KINDS}

    def ancestors(self, key: str) -> Iterator[Stage]:
        """The stage at ``key`` and all that it depends on, each once, parents before children."""
        seen: dict[str, Stage] = {}

        def visit(k: str) -> None:
            for before in self.stages[k].waits_for:
                if before in self.stages:
                    visit(before)
            seen.setdefault(k, self.stages[k])

        visit(key)
        return iter(seen.values())
