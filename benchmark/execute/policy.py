"""How stages are run: the settings of a configuration that change no result and are part of no key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ddbench.execute.limits import Limit
from ddbench.plan.graph import Stage

if TYPE_CHECKING:
    from ddbench.config.schema import Config


@dataclass(frozen=True)
class Policy:
    """Retries and time limits.

    A stage whose worker or machine was lost is tried again up to ``retries`` times. One that raised is not, since it
    would raise again.
    """

    retries: int = 2
    timeouts: Mapping[str, float] = field(default_factory=dict)
    """kind of stage -> seconds"""
    stall: float | None = None
    """seconds without progress"""

    @staticmethod
    def of(config: Config) -> Policy:
        return Policy(config.retries, config.timeouts, config.stall)

    def limit(self, stage: Stage) -> Limit:
        return Limit(stage.kind, self.timeouts.get(stage.kind), self.stall)
