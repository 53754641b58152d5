"""What an executor must be able to do; the scheduling itself is in ``walk`` and is the same for all."""

from __future__ import annotations

from abc import ABC, abstractmethod

from benchmark.plan import Stage
from benchmark.stages import StageResult


class Backend(ABC):
    """A place where stages run."""

    @abstractmethod
    def fits(self, stage: Stage) -> bool:
        """Whether ``stage`` could start at once beside those under way."""

    @abstractmethod
    def submit(self, stage: Stage) -> None:
        """Start ``stage``, which fits and whose parents are done."""

    @abstractmethod
    def wait(self) -> tuple[Stage, StageResult]:
        """The next stage to finish, and how it went. Called only with stages under way."""

    @abstractmethod
    def close(self) -> None:
        """Stop whatever is under way and give everything back."""
