"""Trials of a search in this process, one after another and each to its end: no Ray, no scheduler."""

from __future__ import annotations

from collections.abc import Sequence

from ddbench.execute.policy import Policy
from ddbench.tune.trial import Ending, OnRound, Trial, TrialFailed, run_round


def one_by_one(trials: Sequence[Trial], store: str, on_round: OnRound) -> list[Ending]:
    """A ``ddbench.tune.trial.Runner``."""
    endings = []
    for trial in trials:
        done = 0
        try:
            for number in range(len(trial.rounds)):
                on_round(trial.index, number + 1, run_round(trial, number, store, Policy()))
                done += 1
            endings.append(Ending(done))
        except TrialFailed as error:
            endings.append(Ending(done, str(error)))
    return endings
