"""Trials of a search on Ray Tune: in parallel, with schedulers that stop poor trials early.

Tune only schedules: the settings were drawn before, and the results of trials lie in the store, where the same search
finds them again. Stages run in the process of their trial, since the trial occupies the processors that a Ray task of
its own would wait for.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddbench.errors import BenchError
from ddbench.execute.cluster import Say, hide_other_cards, join, start
from ddbench.execute.demand import Room
from ddbench.execute.policy import Policy
from ddbench.tune.space import Scheduler
from ddbench.tune.trial import Ending, OnRound, Trial, run_round

METRIC = "top1"
REDUCTION = 3
"""asha and hyperband continue one in so many of the trials at each rung"""


class OnTune:
    """A ``ddbench.tune.trial.Runner`` on Ray Tune."""

    def __init__(
        self,
        scheduler: Scheduler,
        takes: Room,
        policy: Policy,
        say: Say = lambda _: None,
        address: str | None = None,
    ) -> None:
        """``takes``: the resources of a trial; ``policy``: limits and retries of its stages; ``say`` tells of Ray;
        ``address``: of a running cluster to join, in place of a private Ray on this machine."""
        self._address = address
        self._scheduler, self._takes, self._policy, self._say = scheduler, takes, policy, say

    def __call__(self, trials: Sequence[Trial], store: str, on_round: OnRound) -> list[Ending]:
        os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # Ctrl-C ends the command; results are in the store
        os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
        os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # without it verbose=0 still prints
        os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # folders of data may be relative to the current one
        instead = "`--executor inline` runs trials without Ray."
        cluster = join(self._address, self._say) if self._address else start(self._say, instead)
        try:
            with tempfile.TemporaryDirectory(prefix="tune-") as folder:
                return self._run(trials, store, on_round, Path(folder))
        finally:
            cluster.close()

    def _run(self, trials: Sequence[Trial], store: str, on_round: OnRound, folder: Path) -> list[Ending]:
        import ray
        from ray import tune

        class Report(tune.Callback):
            def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
                on_round(result["trial"], result["training_iteration"], result[METRIC])

        total = ray.cluster_resources()
        takes = {"cpu": min(self._takes.cpus, total["CPU"]), "gpu": self._takes.gpus}
        if takes["gpu"] > total.get("GPU", 0):
            raise BenchError(f"a trial takes {takes['gpu']:g} GPUs and there are {total.get('GPU', 0):g} here.")
        trainable = tune.with_parameters(_trainable(), trials=list(trials), store=store, policy=self._policy)
        tuner = tune.Tuner(
            tune.with_resources(trainable, takes),
            param_space={"trial": tune.grid_search([trial.index for trial in trials])},
            tune_config=tune.TuneConfig(
                metric=METRIC,
                mode="max",
                scheduler=_scheduler(self._scheduler, len(trials[0].rounds)),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=str(folder), name="search", verbose=0, callbacks=[Report()]),
        )
        results = tuner.fit()  # in the order of the grid; a trial that died before its first result has no metrics
        outcomes = [(results[i].metrics or {}, results[i].error) for i in range(len(results))]
        return [
            Ending(
                rounds=int(metrics.get("training_iteration", 0)),
                failure=_reason(error) if error else "",
                seconds=float(metrics.get("time_total_s", 0.0)),
                traceback=getattr(getattr(error, "cause", None), "traceback", ""),
            )
            for metrics, error in outcomes
        ]


def _trainable() -> type:
    """The Trainable class whose ``step`` is a round; defined here, so that importing this module needs no Ray."""
    from ray import tune

    class Judge(tune.Trainable):
        def setup(self, config: dict[str, Any], trials: list[Trial], store: str, policy: Policy) -> None:
            hide_other_cards()
            self.trials, self.store, self.policy = {trial.index: trial for trial in trials}, store, policy
            self.reset_config(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.judged = self.trials[new_config["trial"]]
            return True

        def step(self) -> dict[str, Any]:
            accuracy = run_round(self.judged, self.iteration, self.store, self.policy)
            last = self.iteration + 1 == len(self.judged.rounds)
            return {METRIC: accuracy, "trial": self.judged.index, "done": last}

        def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
            return {}  # Tune counts rounds, and their results are in the store

        def load_checkpoint(self, checkpoint: Any) -> None: ...

    return Judge


def _scheduler(name: Scheduler, rounds: int) -> Any:
    from ray.tune import schedulers

    if name == "asha":
        return schedulers.ASHAScheduler(max_t=rounds, grace_period=1, reduction_factor=REDUCTION)
    if name == "median":
        return schedulers.MedianStoppingRule(time_attr="training_iteration", grace_period=1, min_samples_required=2)
    if name == "hyperband":
        return schedulers.HyperBandScheduler(max_t=rounds, reduction_factor=REDUCTION)
    return schedulers.FIFOScheduler()


def _reason(error: BaseException) -> str:
    """The last line of Ray's message about a lost trial, where its own error stands below the tracebacks."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return lines[-1].partition("TrialFailed: ")[2] or lines[-1]
