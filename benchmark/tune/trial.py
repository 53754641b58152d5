"""One setting of a search, evaluated round by round, so that a scheduler can stop a poor one early."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from ddbench.errors import CorruptArtifact
from ddbench.execute.inline import Inline
from ddbench.execute.observer import Observer
from ddbench.execute.policy import Policy
from ddbench.execute.schedule import run_schedule, to_run
from ddbench.plan.graph import Plan, Stage
from ddbench.plan.shards import subplan
from ddbench.stages.run import StageResult
from ddbench.store.folder import Store
from ddbench.store.opening import store_at
from ddbench.types import Cell, PreparationStage, Record


@dataclass(frozen=True)
class Trial:
    """A setting to try, with the plan of its cells, all on the validation part."""

    index: int
    values: dict[str, Any]
    """searched key -> value"""
    varied: tuple[str, ...]
    """keys whose value is proposed; the others, and all of the first trial, have the study's own value"""
    plan: Plan

    @property
    def rounds(self) -> list[list[Cell]]:
        """The cells of a trial in rounds, one for each pair of distilled seed and classifier seed.

        All distilled seeds come once before any is repeated with another classifier seed. All trials have the same
        seeds in the same order, so that they can be compared in pairs after any number of rounds.
        """
        pairs: dict[tuple[int, int], list[Cell]] = {}
        for cell in sorted(self.plan.cells, key=lambda c: (c.eval_seed, c.seed)):
            pairs.setdefault((cell.eval_seed, cell.seed), []).append(cell)
        return list(pairs.values())

    def cells(self, rounds: int) -> list[Cell]:
        """The cells of the first ``rounds`` rounds."""
        return [cell for members in self.rounds[:rounds] for cell in members]


@dataclass(frozen=True)
class Ending:
    """How a trial ended: after how many rounds, and the failure if there was one."""

    rounds: int
    failure: str = ""
    seconds: float = 0.0
    traceback: str = ""
    """of the failure, where there is one"""


OnRound = Callable[[int, int, float], None]
"""``on_round(trial, rounds, top1)`` is called after each round of a trial"""

Runner = Callable[[Sequence[Trial], str, OnRound], list[Ending]]
"""``run(trials, store, on_round)``: evaluates all trials in the store, round by round, and returns how they ended"""


class TrialFailed(Exception):
    """A stage of a trial failed; the message says which and why. ``traceback``: of the stage, as text."""

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(message, traceback)  # both, since they go to another process by these arguments
        self.traceback = traceback

    def __str__(self) -> str:
        return str(self.args[0])


class _Silent(Observer):
    """Keeps the tracebacks of the stages that failed."""

    def __init__(self) -> None:
        self.tracebacks: dict[str, str] = {}

    def finished(self, stage: Stage, result: StageResult) -> None:
        self.tracebacks[stage.key] = result.traceback


def run_round(trial: Trial, number: int, store: str, policy: Policy) -> float:
    """Run round ``number`` (from 0) of a trial in the store; its mean top-1 so far, a fraction.

    Stages that are missing run one after another in this process. Raises TrialFailed.
    """
    opened = store_at(store)
    part = subplan(trial.plan, trial.rounds[number])
    silent = _Silent()
    summary = run_schedule(part, opened, to_run(part, opened, silent), Inline(store), silent, policy)
    if summary.cells["failed"]:
        stage, why = summary.failures[0]
        raise TrialFailed(f"{stage.kind} {stage.label}: {why}", silent.tracebacks.get(stage.key, ""))
    return top1([record for _, record in judged(trial, number + 1, opened)])


def shared(trials: Sequence[Trial], store: Store) -> tuple[Plan, dict[str, Stage]]:
    """The plan of what all trials share, the check of the data and preparations, and the stages of it that the store
    lacks."""
    common = set.intersection(*(set(trial.plan.stages) for trial in trials))
    kept = {
        key: stage
        for key, stage in trials[0].plan.stages.items()
        if key in common and stage.kind in ("data", *get_args(PreparationStage))
    }
    return Plan(stages=kept, cells={}), {key: stage for key, stage in kept.items() if not _has(store, stage)}


def _has(store: Store, stage: Stage) -> bool:
    """Whether the store has the artifact of a stage, intact or not; a trial that finds it damaged makes it again."""
    try:
        return store.has(stage.kind, stage.key)
    except CorruptArtifact:
        return True


def judged(trial: Trial, rounds: int, store: Store) -> list[tuple[Cell, Record]]:
    """The successful records of the first ``rounds`` rounds of a trial, in the order of the rounds."""
    keys = {cell: trial.plan.cells[cell] for cell in trial.cells(rounds)}
    by_key = {record.key: record for record in store.records(keys.values()) if record.outcome == "ok"}
    return [(cell, by_key[key]) for cell, key in keys.items() if key in by_key]


def top1(records: Sequence[Record]) -> float:
    """The objective of a search: mean top-1 at the last epoch, a fraction."""
    return statistics.fmean(record.last for record in records)
