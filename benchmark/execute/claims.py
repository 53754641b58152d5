"""Claiming stages, so that several drivers on one store share the work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Literal

from ddbench.errors import CorruptArtifact
from ddbench.plan.graph import Stage
from ddbench.store.folder import Store
from ddbench.store.leases import Leases

State = Literal["mine", "made", "elsewhere"]

RECORDS_A_CLAIM = 2000
"""one more evaluation is claimed at a time for each so many records in the store"""


class Claims:
    """Claims stages by leases, and only then checks whether another driver has made them, so that no stage runs twice.

    Checking whether a cell has a record lists all records, which takes longer in a larger store. There, evaluations are
    claimed several at a time, with one listing for all.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._leases = store, Leases(store)
        self._states: dict[str, State] = {}
        self._records = 0

    def claim(self, stage: Stage, following: Callable[[str, int], list[Stage]]) -> State:
        """Whether this driver may run the stage (mine), it is made already (made), or another runs it (elsewhere).

        ``following(kind, n)``: the next n ready stages of a kind, which may be claimed along with it.
        """
        if (state := self._states.pop(stage.key, None)) is not None:
            return state
        if stage.kind != "evaluate":
            return self._artifact(stage)
        block = {stage.key: stage} | {s.key: s for s in following(stage.kind, 1 + self._records // RECORDS_A_CLAIM)}
        claimed = [key for key in block if key not in self._states and self._leases.claim(key)]
        self._store.refresh()
        done = self._store.done()
        self._records = len(done)
        for key in claimed:
            self._states[key] = "made" if key in done else "mine"
            if key in done:
                self._leases.release(key)
        return self._states.pop(stage.key, "elsewhere")

    def release(self, key: str) -> None:
        """Release the stage, once its artifact or record is in the store."""
        self._states.pop(key, None)
        self._leases.release(key)

    def close(self) -> None:
        self._leases.close()

    def _artifact(self, stage: Stage) -> State:
        if not self._leases.claim(stage.key):
            return "elsewhere"
        self._store.refresh()
        with contextlib.suppress(CorruptArtifact):
            if self._store.has(stage.kind, stage.key):
                self._leases.release(stage.key)
                return "made"
        return "mine"
