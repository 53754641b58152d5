"""One setting of a search and how it is judged: round by round, so that a scheduler can end a poor one early."""

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
from ddbench.store.folder import Store
from ddbench.store.opening import store_at
from ddbench.types import Cell, PreparationStage, Record


@dataclass(frozen=True)
class Trial:
    """A setting to try. ``plan`` holds its cells, all on the validation part."""

    index: int
    values: dict[str, Any]
    """value of every searched key"""
    varied: tuple[str, ...]
    """the keys whose value is proposed; the others, and all of the first trial's, are the study's own"""
    plan: Plan

    @property
    def rounds(self) -> list[list[Cell]]:
        """The budget, a pair of seeds a round: all cells of that pair.

        A round has a distilled set that no round before it has until each has been judged once, and every trial's
        rounds are of the same seeds, so that trials compare pairwise after any number of them.
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
    """How a trial ended: after how many rounds, and why if not because it was done or poor."""

    rounds: int
    failure: str = ""
    seconds: float = 0.0


OnRound = Callable[[int, int, float], None]
"""``told(trial, rounds, top1)`` after each round of a trial"""

Runner = Callable[[Sequence[Trial], str, OnRound], list[Ending]]
"""``run(trials, store, told)``: judge every trial in the store, round by round, and say how each ended"""


class TrialFailed(Exception):
    """A stage of a trial failed; the message says which and why."""


def run_round(trial: Trial, number: int, store: str, policy: Policy) -> float:
    """Judge round ``number`` (from 0) of a trial in the store and return its top-1 so far, a fraction.

    Stages run one after another in this process; what the store has already is not made again. Raises TrialFailed.
    """
    opened = store_at(store)
    part = subplan(trial.plan, trial.rounds[number])
    silent = Observer()
    summary = run_schedule(part, opened, to_run(part, opened, silent), Inline(store), silent, policy)
    if summary.cells["failed"]:
        stage, why = summary.failures[0]
        raise TrialFailed(f"{stage.kind} {stage.label}: {why}")
    return top1([record for _, record in judged(trial, number + 1, opened)])


def shared(trials: Sequence[Trial], store: Store) -> tuple[Plan, dict[str, Stage]]:
    """The plan of the preparations that every trial rests on, and those of them that the store has not."""
    common = set.intersection(*(set(trial.plan.stages) for trial in trials))
    kept = {
        key: stage
        for key, stage in trials[0].plan.stages.items()
        if key in common and stage.kind in get_args(PreparationStage)
    }
    return Plan(stages=kept, cells={}), {key: stage for key, stage in kept.items() if not _there(store, stage)}


def _there(store: Store, stage: Stage) -> bool:
    """Whether the store has what a stage makes, whole or damaged: a trial that meets damage makes it again."""
    try:
        return store.has(stage.kind, stage.key)
    except CorruptArtifact:
        return True


def judged(trial: Trial, rounds: int, store: Store) -> list[tuple[Cell, Record]]:
    """The records of the first ``rounds`` rounds of a trial, those that succeeded, in the order of the rounds."""
    keys = {cell: trial.plan.cells[cell] for cell in trial.cells(rounds)}
    by_key = {record.key: record for record in store.records(keys.values()) if record.outcome == "ok"}
    return [(cell, by_key[key]) for cell, key in keys.items() if key in by_key]


def top1(records: Sequence[Record]) -> float:
    """What a search maximises: mean top-1 at the last epoch, a fraction."""
    return statistics.fmean(record.last for record in records)
