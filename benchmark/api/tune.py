"""Running a search: its runner, the preparations that its trials share, and what watchers are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ddbench.api.run import Execution, pays, run_preparations
from ddbench.config.schema import Config
from ddbench.errors import BenchError
from ddbench.execute.demand import Demand, Room, largest
from ddbench.execute.observer import Observer
from ddbench.execute.policy import Policy
from ddbench.execute.watched import Watched, run_start
from ddbench.plan.graph import Plan, Stage
from ddbench.store.folder import Store
from ddbench.tune.in_order import InOrder
from ddbench.tune.on_ray import OnTune
from ddbench.tune.record import Tune
from ddbench.tune.search import Request, run_search
from ddbench.tune.trial import Ending, OnRound, Runner, Trial, shared
from ddbench.tune.watched import WatchedSearch

Say = Callable[[str], None]


def runner_of(how: Execution, request: Request, trials: Sequence[Trial], stages: int, say: Say) -> Runner:
    """How the trials are run; ``stages``: how many are left. Raises BenchError for a scheduler that needs Ray."""
    policy, early = Policy.of(request.config), request.scheduler != "fifo"
    if how.executor == "inline" and early:
        raise BenchError(
            f"--scheduler {request.scheduler} compares trials that run side by side: use --executor ray, or "
            "--scheduler fifo."
        )
    if how.executor == "inline" or (how.executor == "auto" and not (early or how.ray_address or pays(stages))):
        return InOrder(policy)
    return OnTune(request.scheduler, _takes(request.config, trials), policy, say, how.ray_address)


def searched(
    request: Request,
    trials: Sequence[Trial],
    left: Mapping[str, Stage],
    store: Store,
    runner: Runner,
    how: Execution,
    on_round: OnRound,
    say: Say,
) -> Tune:
    """Run what the trials share and then the trials, and tell the watchers of ``how``. ``left``: the stages that the
    store lacks; ``say`` is told of failures of watchers, and tracebacks where ``how`` shows them."""
    every = Plan({}, {cell: key for trial in trials for cell, key in trial.plan.cells.items()})
    start = run_start(request.config, every, store)

    def with_tracebacks(trials: Sequence[Trial], store: str, on_round: OnRound) -> list[Ending]:
        endings = runner(trials, store, on_round)
        for trial, ending in zip(trials, endings, strict=True):
            if how.tracebacks and ending.traceback:
                say(f"trial {trial.index}: {ending.traceback}")
        return endings

    observer = Watched(_Told(say), how.resolved_watchers(), start, how.tracebacks)
    with WatchedSearch(trials, left, store, observer) as watched:
        failure = run_preparations(*shared(trials, store), store, Policy.of(request.config), how.tracebacks)
        return run_search(request, trials, store, with_tracebacks, watched.after_rounds(on_round), failure)


class _Told(Observer):
    """Passes messages on."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def say(self, message: str) -> None:
        self._say(message)


def _takes(config: Config, trials: Sequence[Trial]) -> Room:
    """The resources of a trial: the most that any stage takes, since its stages run one after another."""
    demand, boundless = Demand(config.resources), Room(float("inf"), float("inf"), float("inf"))
    return largest(demand.of(stage, boundless) for trial in trials for stage in trial.plan.stages.values())
