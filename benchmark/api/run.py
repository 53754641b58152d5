"""Running a plan on a store, for ``run``, ``evaluate`` and ``shift``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ddbench.api.board import Board
from ddbench.api.choices import EXECUTORS, Executor
from ddbench.api.outline import outline, recorded_costs
from ddbench.api.progress import make_display
from ddbench.api.stores import Say, say_on_stderr
from ddbench.config.schema import Config
from ddbench.config.study import ExternalSets
from ddbench.config.watchers import resolve_watchers
from ddbench.errors import BenchError, unknown
from ddbench.execute.backend import Backend
from ddbench.execute.cards import Card, cards, check_hardware, smallest
from ddbench.execute.demand import Demand, recorded_peaks
from ddbench.execute.inline import Inline
from ddbench.execute.interrupt import stop_on_signals
from ddbench.execute.missing import find_missing, to_run
from ddbench.execute.observer import Observer
from ddbench.execute.pace import Pace
from ddbench.execute.policy import Policy
from ddbench.execute.schedule import Summary, run_schedule
from ddbench.execute.watched import Watched, run_start
from ddbench.plan.graph import Plan, Stage
from ddbench.processors import allowed_processors
from ddbench.stages.problems import refuse_problems
from ddbench.store.folder import Store
from ddbench.store.opening import open_store, store_exists
from ddbench.types import Record, Watcher

RAY_PAYS_FROM = 8
"""number of stages; starting Ray, and importing torch in each worker, takes about ten seconds"""


@dataclass(frozen=True)
class Execution:
    """How stages are executed, which no result depends on. Raises BenchError for contradictory options."""

    executor: Executor = "auto"
    """inline: one stage at a time in this process; ray: in parallel on all cores; auto: ray where it pays"""
    ray_address: str | None = None
    """address of a running Ray cluster, ``auto`` for the one of this machine; None: a private cluster"""
    watchers: Sequence[Watcher | str] = ()
    """instances, or names of registered watchers such as ``NAME[OPTION=VALUE]``"""
    tracebacks: bool = False
    """whether the traceback of a failed stage is shown"""

    def __post_init__(self) -> None:
        if self.executor not in EXECUTORS:
            raise unknown("executor", self.executor, EXECUTORS)
        if self.ray_address and self.executor == "inline":
            raise BenchError("--executor inline runs in this process: leave out --ray-address, or use --executor ray.")

    def resolved_watchers(self) -> tuple[Watcher, ...]:
        """The watchers with names resolved, once plug-ins are loaded. Raises BenchError."""
        named = iter(resolve_watchers([watcher for watcher in self.watchers if isinstance(watcher, str)]))
        watchers = tuple(next(named) if isinstance(watcher, str) else watcher for watcher in self.watchers)
        for watcher in watchers:
            if not isinstance(watcher, Watcher):
                raise BenchError(
                    f"{watcher!r} is no watcher: name a registered one, or give an instance of a Watcher class."
                )
        return watchers


@dataclass(frozen=True)
class Finished:
    """The result of a run."""

    summary: Summary
    store: Store
    cached: Mapping[str, Record]
    """key -> record, of the cells that the store had before"""
    pictures: Path | None
    """folder with pictures of the distilled sets, or None"""


def run_plan(
    config: Config,
    plan: Plan,
    where: Path | str,
    how: Execution,
    prepare: Callable[[Store], None] = lambda _: None,
    say: Say = say_on_stderr,
    announce: Say | None = None,
    external: ExternalSets | None = None,
) -> Finished:
    """Run the missing stages of ``plan`` in the store ``where``, and record there that ``config`` asked for its cells.

    ``prepare`` may write artifacts into the store before; ``external``: the sets of the plan, where other code made
    them. ``announce`` is told, within seconds, what will be done, how long it takes and where results will be. Raises
    BenchError, before anything is run or written, for what preparations, methods or the protocol say against the data,
    and KeyboardInterrupt when a stop was requested.
    """
    watchers = how.resolved_watchers()
    ahead, cost = waiting(plan, where, external), recorded_costs(where)
    if announce is not None:
        for line in outline(config.name, plan, ahead, where, cost, processors_for(how.executor, len(ahead))):
            announce(line)
    check_machine(config, ahead, where, how)
    refuse_problems(ahead.values())
    store = open_store(where, create=True)
    store.write_run(
        {
            "name": config.name,
            "config": config.model_dump(mode="json"),
            "cells": [[vars(cell), key] for cell, key in plan.cells.items()],
            "external": external.to_json() if external else None,
            "distilled": {key: parents[0] for key in plan.cells.values() if (parents := plan.stages[key].parents)},
        }
    )
    prepare(store)
    board = Board(plan, lambda key: store.records([key]))
    with make_display(how.tracebacks, Pace(store.how_far, cost), board, announced=announce is not None) as display:
        observer = Watched(display, watchers, run_start(config, plan, store), how.tracebacks)
        missing = find_missing(plan, store, observer)
        board.add(missing.done.values())
        summary = run_stages(plan, missing.stages, store, config, how, observer)
    return Finished(summary, store, missing.done, _draw(plan, store, say))


def waiting(plan: Plan, where: Path | str, external: ExternalSets | None = None) -> Mapping[str, Stage]:
    """The stages of a plan that still have to run in the store ``where``, which is neither made nor changed. The sets
    ``external`` are there, and only have to be copied."""
    left = to_run(plan, open_store(where, create=False)) if store_exists(where) else plan.stages
    return {key: stage for key, stage in left.items() if stage.kind != "distill"} if external else left


def run_stages(
    plan: Plan, missing: Mapping[str, Stage], store: Store, config: Config, how: Execution, observer: Observer
) -> Summary:
    """Run the stages ``missing`` of ``plan`` with the limits, resources and retries of ``config``.

    After the first SIGINT or SIGTERM, running stages end before KeyboardInterrupt is raised; the second raises it at
    once.
    """
    demand = demand_of(config, missing, store.address)
    backend = make_backend(how, store, len(missing), demand, observer.note)
    try:
        with stop_on_signals() as stop:
            summary = run_schedule(plan, store, dict(missing), backend, observer, Policy.of(config), stop)
    finally:
        backend.close()
    if stop.asked:
        raise KeyboardInterrupt
    return summary


def run_preparations(
    plan: Plan, missing: Mapping[str, Stage], store: Store, policy: Policy, tracebacks: bool = False
) -> str:
    """Run the stages ``missing`` of a plan of preparations one after another in this process, with their progress on
    stderr; why one failed, or empty."""
    if not missing:
        return ""
    with make_display(tracebacks, Pace(store.how_far)) as display:
        summary = run_schedule(plan, store, dict(missing), Inline(store.address), display, policy)
    return next((f"{stage.kind} stage {stage.label}: {why}" for stage, why in summary.failures), "")


def check_machine(config: Config, stages: Mapping[str, Stage], where: Path | str, how: Execution) -> None:
    """Raises BenchError for what this machine lacks to run ``stages``; of a cluster that is joined only its own
    machines can tell."""
    if how.ray_address is None:
        check_hardware(stages.values(), demand_of(config, stages, where), cards_for(config), where)


def demand_of(config: Config, stages: Mapping[str, Stage], where: Path | str) -> Demand:
    """What ``stages`` take, by the configuration and by what was measured in the store ``where``."""
    if not store_exists(where):
        return Demand(config.resources, card_mib=smallest(cards_for(config)))
    kinds = {stage.kind for stage in stages.values()}
    peaks, gpu_peaks = recorded_peaks(open_store(where, create=False), kinds)
    return Demand(config.resources, peaks, gpu_peaks, smallest(cards_for(config)))


def cards_for(config: Config) -> list[Card]:
    """The cards of this machine, where a study uses any."""
    return cards() if config.device == "cuda" else []


def make_backend(
    how: Execution, store: Store, stages: int, demand: Demand | None = None, say: Say = say_on_stderr
) -> Backend:
    """The backend that ``how`` asks for; ``auto`` chooses by the number of ``stages``. ``say``: tells of Ray's start.

    Raises BenchError.
    """
    executor = how.executor
    if store.address.startswith("memory://"):
        if executor == "ray" or how.ray_address:
            raise BenchError("a store in memory:// is this process's own: use --executor inline, or another --store.")
        executor = "inline"
    if executor == "ray" or how.ray_address or (executor == "auto" and pays(stages)):
        from ddbench.execute.on_ray import OnRay

        return OnRay(store.address, demand, how.ray_address, say)
    from ddbench.execute.inline import Inline

    return Inline(store.address, demand)


def processors_for(executor: Executor, stages: int) -> int:
    """How many processors work side by side on ``stages`` stages."""
    return allowed_processors() if executor == "ray" or (executor == "auto" and pays(stages)) else 1


def pays(stages: int) -> bool:
    """Whether Ray is worth its start: there are several processors and enough stages."""
    return stages >= RAY_PAYS_FROM and allowed_processors() > 1


def _draw(plan: Plan, store: Store, say: Say) -> Path | None:
    from ddbench.api.pictures import draw

    try:
        return draw(plan, store)
    except OSError as error:  # perhaps a full disk; the table does not need them
        say(f"the pictures could not be drawn: {error}")
        return None
