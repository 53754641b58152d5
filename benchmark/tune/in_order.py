"""Trials of a search one after another in this process, each to its end: no Ray, no scheduler."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ddbench.execute.policy import Policy
from ddbench.tune.trial import Ending, OnRound, Trial, TrialFailed, run_round


class InOrder:
    """A ``ddbench.tune.trial.Runner``. ``policy``: limits and retries of the stages of trials."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __call__(self, trials: Sequence[Trial], store: str, on_round: OnRound) -> list[Ending]:
        return [self._ending(trial, store, on_round) for trial in trials]

    def _ending(self, trial: Trial, store: str, on_round: OnRound) -> Ending:
        began, done, failure, traceback = time.monotonic(), 0, "", ""
        try:
            for number in range(len(trial.rounds)):
                on_round(trial.index, number + 1, run_round(trial, number, store, self._policy))
                done += 1
        except TrialFailed as error:
            failure, traceback = str(error), error.traceback
        return Ending(done, failure, time.monotonic() - began, traceback)
