"""The interface of executors. Scheduling is the same for all of them; see ``run_schedule``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ddbench.execute.limits import Limit
from ddbench.plan.graph import Stage
from ddbench.stages.attempt import Attempt
from ddbench.stages.run import StageResult


@dataclass(frozen=True)
class Job:
    """One attempt at a stage, with its time limit."""

    stage: Stage
    attempt: Attempt
    limit: Limit


class Backend(ABC):
    """Runs stages, in this process or on workers."""

    @abstractmethod
    def refuses(self, stage: Stage) -> str | None:
        """Why ``stage`` can never run here, even with no other stage running; None when it can."""

    @abstractmethod
    def fits(self, stage: Stage) -> bool:
        """Whether ``stage``, which is not refused, could start now, beside the running stages."""

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Start a stage that fits and whose parents are finished."""

    @abstractmethod
    def wait(self, seconds: float) -> tuple[Stage, StageResult] | None:
        """The next stage to finish, with its result; None when none finishes within about ``seconds``.

        Called only while stages are running. A stage that exceeds its limit is terminated: outcome ``timeout``.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop all running stages and release all resources."""
