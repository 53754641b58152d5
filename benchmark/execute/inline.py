"""Stages one after another in this process: the reference that every other backend must agree with."""

from __future__ import annotations

from benchmark.execute.backend import Backend
from benchmark.plan import Stage
from benchmark.stages import StageResult, run_stage


class Inline(Backend):
    def __init__(self, root: str) -> None:
        self._root = root
        self._next: Stage | None = None

    def fits(self, stage: Stage) -> bool:
        return self._next is None

    def submit(self, stage: Stage) -> None:
        self._next = stage

    def wait(self) -> tuple[Stage, StageResult]:
        assert self._next is not None
        stage, self._next = self._next, None
        return stage, run_stage(stage, self._root)

    def close(self) -> None:
        self._next = None
