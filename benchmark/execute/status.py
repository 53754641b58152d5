"""The status of a run, read from its store alone: during the run, from another machine, or later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ddbench.config.schema import recorded_config
from ddbench.config.study import ExternalSets, resolve
from ddbench.errors import BenchError
from ddbench.execute.history import History
from ddbench.execute.schedule import to_run
from ddbench.plan.build import make_plan
from ddbench.plan.graph import Plan, Stage
from ddbench.plan.shards import subplan
from ddbench.store.folder import Store
from ddbench.types import Cell

State = Literal["done", "failed", "running", "waiting"]
STATES: tuple[State, ...] = get_args(State)

Holder = Callable[[str], str | None]
"""``holder(key)``: the driver that runs a stage, None when there is none"""


@dataclass(frozen=True)
class CellStatus:
    """The status of one cell. A failed one has a reason and, if it exists, the path of a log file."""

    cell: Cell
    key: str
    state: State
    outcome: str = ""
    reason: str = ""
    log: str = ""
    share: float | None = None
    """fraction of a running evaluation that is done, if it reports progress"""

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "cell": vars(self.cell)}


@dataclass(frozen=True)
class UnderWay:
    """A stage that a driver is running."""

    kind: str
    label: str
    key: str
    holder: str
    share: float | None


@dataclass(frozen=True)
class Remaining:
    """The stages left. ``seconds``: an estimate for those whose sort has been measured, run one after another;
    ``unknown``: the number of the others."""

    stages: int
    seconds: float
    unknown: int


@dataclass(frozen=True)
class Status:
    """The status of the cells of a run, and its running stages.

    ``planned`` is False when the stages of the run can no longer be planned, because code or data have changed since.
    Then ``remaining`` is None, and of the running stages only evaluations are shown.
    """

    cells: tuple[CellStatus, ...]
    under_way: tuple[UnderWay, ...]
    remaining: Remaining | None
    planned: bool

    @property
    def counts(self) -> dict[State, int]:
        counted = Counter(cell.state for cell in self.cells)
        return {state: counted[state] for state in STATES}

    @property
    def left(self) -> float | None:
        """Estimated seconds until the end with as many parallel stages as now (at least one); None when no remaining
        stage has been measured. A lower bound when ``remaining.unknown`` is not zero."""
        if self.remaining is None or (self.remaining.unknown and not self.remaining.seconds):
            return None
        return self.remaining.seconds / max(1, len(self.under_way))

    def to_json(self) -> dict[str, Any]:
        return {
            "counts": self.counts,
            "left_seconds": self.left,
            "remaining": vars(self.remaining) if self.remaining else None,
            "under_way": [vars(stage) for stage in self.under_way],
            "cells": [cell.to_json() for cell in self.cells],
        }


def plan_of(runs: Iterable[dict[str, Any]]) -> tuple[Plan, bool]:
    """The cells of runs with their latest keys, and their stages as far as those can be planned again; whether all
    can."""
    stages: dict[str, Stage] = {}
    cells: dict[Cell, str] = {}
    for run in runs:
        asked = {Cell(**cell): key for cell, key in run["cells"]}
        cells |= asked
        if any(key not in stages for key in asked.values()):
            stages |= _stages(run, asked)
    return Plan(stages, cells), all(key in stages for key in cells.values())


def status_of(plan: Plan, planned: bool, store: Store, holder: Holder, history: History) -> Status:
    """The status of the cells of a plan in a store. Nothing is written."""
    store.refresh()
    done = store.done()
    missing = [key for key in plan.cells.values() if key not in done]
    attempts = {record.key: record for record in store.records(missing)} if missing else {}
    waiting = to_run(plan, store) if planned else {}
    keys = [*waiting] if planned else missing
    held = {key: who for key in keys if (who := holder(key))}
    shares = {key: store.how_far(key) for key in held}
    cells = []
    for cell, key in plan.cells.items():
        record = attempts.get(key)
        if key in done:
            cells.append(CellStatus(cell, key, "done"))
        elif key in held:
            cells.append(CellStatus(cell, key, "running", share=shares[key]))
        elif record is not None:
            log = record.run.get("output")
            where = str(store.root / log) if isinstance(log, str) else ""
            cells.append(CellStatus(cell, key, "failed", record.outcome, record.reason, where))
        else:
            cells.append(CellStatus(cell, key, "waiting"))
    under_way = [
        UnderWay(stage.kind, stage.label, key, held[key], shares[key]) for key, stage in waiting.items() if key in held
    ]
    over = all(cell.state == "done" for cell in cells)  # whatever has changed since
    remaining = _remaining(waiting, shares, history) if planned else Remaining(0, 0.0, 0) if over else None
    return Status(tuple(cells), tuple(under_way), remaining, planned)


def _remaining(waiting: dict[str, Stage], shares: dict[str, float | None], history: History) -> Remaining:
    seconds, unknown = 0.0, 0
    for key, stage in waiting.items():
        if cost := history.cost(stage):
            seconds += cost.seconds * (1 - (shares.get(key) or 0.0))
        else:
            unknown += 1
    return Remaining(len(waiting), seconds, unknown)


def _stages(run: dict[str, Any], cells: dict[Cell, str]) -> dict[str, Stage]:
    """The stages of a run, planned again; empty when its cells would now have other keys."""
    try:
        external = ExternalSets.from_json(run["external"]) if run.get("external") else None
        plan = make_plan(resolve(recorded_config(run["config"]), external))
    except (BenchError, ImportError, ValueError):  # a plug-in or a dataset no longer exists
        return {}
    if any(plan.cells.get(cell) != key for cell, key in cells.items()):
        return {}
    return subplan(plan, cells).stages
