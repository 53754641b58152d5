"""What an executor is given to run."""

from __future__ import annotations

from dataclasses import dataclass

from ddbench.execute.limits import Limit
from ddbench.plan.graph import Stage
from ddbench.stages.attempt import Attempt


@dataclass(frozen=True)
class Job:
    """One attempt at a stage, with its time limit."""

    stage: Stage
    attempt: Attempt
    limit: Limit
