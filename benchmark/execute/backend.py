"""The interface of executors. Scheduling is the same for all of them; see ``run_schedule``."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ddbench.execute.job import Job as Job
from ddbench.plan.graph import Stage
from ddbench.stages.run import StageResult


class Backend(ABC):
    """Runs stages, in this process or on workers."""

    @abstractmethod
    def refuses(self, stage: Stage) -> str | None:
        """Why ``stage`` can never run here, even with no other stage running; None when it can."""

    @abstractmethod
    def fits(self, stage: Stage) -> bool:
        """Whether ``stage``, which is not refused, could start now, beside the running stages."""

    def most_together(self, stage: Stage) -> int:
        """How many stages of the sort of ``stage``, which fits, may start now in one process; 1: it runs alone."""
        return 1

    @abstractmethod
    def submit(self, *jobs: Job) -> None:
        """Start a stage that fits and whose parents are finished; or several, as many as ``most_together`` allows, in
        one process, each of which ends by itself."""

    @abstractmethod
    def wait(self, seconds: float) -> tuple[Stage, StageResult] | None:
        """The next stage to finish, with its result; None when none finishes within about ``seconds``.

        Called only while stages are running. A stage that exceeds its limit is terminated: outcome ``timeout``.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop all running stages and release all resources."""
