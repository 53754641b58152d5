"""Who is told how a plan is carried out: the display of a terminal, watchers, a test."""

from __future__ import annotations

from ddbench.execute.summary import Summary
from ddbench.plan.graph import Stage
from ddbench.stages.run import StageResult
from ddbench.types import Record


class Observer:
    """Is told what happens, as it happens; by default does nothing."""

    @property
    def wants_records(self) -> bool:
        """Whether ``record`` does anything with good records, which are read back from the store for it."""
        return False

    def begin(self, to_run: list[Stage]) -> None:
        """Before the first of the stages ``to_run`` starts."""

    def started(self, stage: Stage) -> None: ...

    def finished(self, stage: Stage, result: StageResult) -> None:
        """A stage ended, here or in another process on the store, and is not tried again."""

    def record(self, record: Record) -> None:
        """A record was written to the store by this process or its workers."""

    def end(self, summary: Summary) -> None:
        """After ``begin``, always: also when a stop or an error broke it off."""

    def say(self, message: str) -> None:
        """A line for whoever looks on."""
