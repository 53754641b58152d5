"""Who is told of a walk."""

from __future__ import annotations

from typing import Protocol

from ddbench.plan.graph import Stage
from ddbench.stages.run import StageResult


class Watcher(Protocol):
    """Is told what happens, as it happens."""

    def begin(self, to_run: list[Stage]) -> None: ...

    def started(self, stage: Stage) -> None: ...

    def finished(self, stage: Stage, result: StageResult) -> None: ...

    def say(self, message: str) -> None: ...
