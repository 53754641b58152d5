"""Observers of a run: the display on a terminal, the registered watchers, tests."""

from __future__ import annotations

from ddbench.execute.summary import Summary
from ddbench.plan.graph import Stage
from ddbench.stages.run import StageResult
from ddbench.types import Record


class Observer:
    """Base class of observers: its methods are called as a run proceeds, and do nothing by default."""

    @property
    def wants_records(self) -> bool:
        """Whether ``record`` must be called for successful records too, which are read back from the store for it."""
        return False

    def begin(self, to_run: list[Stage]) -> None:
        """Before the first of the stages ``to_run`` starts."""

    def started(self, stage: Stage) -> None: ...

    def finished(self, stage: Stage, result: StageResult) -> None:
        """A stage ended, here or in another process on the store, and will not be tried again."""

    def record(self, record: Record) -> None:
        """A record was written to the store by this process or its workers."""

    def end(self, summary: Summary) -> None:
        """Always called after ``begin``, also when a stop or an error ended the run."""

    def say(self, message: str) -> None:
        """A message for the user: something went wrong."""

    def note(self, message: str) -> None:
        """A message for the user: what is being done."""
        self.say(message)
