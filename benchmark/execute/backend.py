"""What an executor must be able to do; the scheduling itself is in ``run_schedule`` and is the same for all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ddbench.execute.limits import Limit
from ddbench.plan.graph import Stage
from ddbench.stages.attempt import Attempt
from ddbench.stages.run import StageResult


@dataclass(frozen=True)
class Job:
    """One attempt at a stage, and how long it may take."""

    stage: Stage
    attempt: Attempt
    limit: Limit


class Backend(ABC):
    """A place where stages run."""

    @abstractmethod
    def refuses(self, stage: Stage) -> str | None:
        """Why ``stage`` could not run here even with nothing beside it; None when it could."""

    @abstractmethod
    def fits(self, stage: Stage) -> bool:
        """Whether ``stage``, which is not refused, could start at once beside those under way."""

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Start a stage that fits and whose parents are done."""

    @abstractmethod
    def wait(self, seconds: float) -> tuple[Stage, StageResult] | None:
        """The next stage to finish, and how it went; None when none did for about ``seconds``.

        Called only with stages under way. One that breaks its limit is ended, with the outcome ``timeout``.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop whatever is under way and give everything back."""
