"""Stages as Ray tasks, in parallel on one machine or many."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ddbench.execute.backend import Backend, Job
from ddbench.execute.cluster import Say, join, own_card, sees_all_cards, start
from ddbench.execute.demand import NOTHING, Demand, Room, largest, refusal
from ddbench.execute.limits import Clock
from ddbench.plan.graph import Stage
from ddbench.stages.attempt import Attempt, forget_progress, where
from ddbench.stages.run import StageResult, run_stage
from ddbench.store.opening import store_at

LOOK_EVERY = 0.25
"""seconds between checks of limits and of signals; two signals within one wait count as one"""
MACHINES_EVERY = 2.0
"""seconds for which the list of machines is cached"""
UNSEEN = 120.0
"""seconds after which the clock of a submitted stage starts even if its log has not appeared"""


def run_on_worker(stage: Stage, root: str, attempt: Attempt) -> StageResult:
    """``run_stage`` on the card that Ray gave to the task."""
    return run_stage(stage, root, replace(attempt, card=own_card()))


@dataclass
class _UnderWay:
    job: Job
    room: Room
    submitted: float
    clock: Clock | None = None


class OnRay(Backend):
    """Artifacts pass through the store, keys through Ray. Ray's retries are off: ``run_schedule`` handles failures.

    Without ``address`` a private Ray is started on this machine; see ``cluster.start`` and ``cluster.join`` for both
    and for the BenchError that they raise.
    """

    def __init__(
        self, root: str, demand: Demand | None = None, address: str | None = None, say: Say = lambda _: None
    ) -> None:
        self._store = store_at(root)
        self._demand = demand or Demand()
        instead = "`--executor inline` runs stages without Ray."
        self._cluster = join(address, say) if address else start(say, instead)
        self._ray = self._cluster.ray
        self._under_way: dict[Any, _UnderWay] = {}
        # Without resources in the decorator, Ray keeps the process after a task on a GPU, with its imports and context.
        self._run = self._ray.remote(run_on_worker)
        self._joined = address is not None
        self._whole: set[str] = set()
        """keys of stages for which a part of a card was too small"""
        self._machines: list[Room] = []
        self._seen = self._looked = float("-inf")

    def refuses(self, stage: Stage) -> str | None:
        return refusal(stage, self._room(stage), self._current_machines())

    def fits(self, stage: Stage) -> bool:
        machines = self._current_machines()
        total = sum(machines, NOTHING)
        taken = sum((task.room for task in self._under_way.values()), NOTHING)
        return (total - taken).holds(self._room(stage))

    def _room(self, stage: Stage) -> Room:
        room = self._demand.of(stage, largest(self._current_machines()))
        return replace(room, gpus=1.0) if stage.key in self._whole else room

    def submit(self, job: Job) -> None:
        room = self._room(job.stage)
        task = self._run.options(
            runtime_env=sees_all_cards() if self._joined and room.gpus else None,
            num_cpus=room.cpus,
            num_gpus=room.gpus,
            memory=int(room.memory * 2**20) or None,
            max_retries=0,
            name=job.stage.label,
        )
        forget_progress(self._store.root, job.stage.key)
        attempt = replace(job.attempt, share=room.gpus or 1.0)
        reference = task.remote(job.stage, self._store.address, attempt)
        self._under_way[reference] = _UnderWay(job, room, time.monotonic())

    def wait(self, seconds: float) -> tuple[Stage, StageResult] | None:
        until = time.monotonic() + seconds
        limited = any(task.job.limit for task in self._under_way.values())
        while True:
            if limited and (ended := self._over_limit()):
                return ended
            left = max(0.0, until - time.monotonic())
            ready, _ = self._ray.wait(list(self._under_way), num_returns=1, timeout=min(left, LOOK_EVERY))
            if ready:
                job = self._under_way.pop(ready[0]).job
                return job.stage, self._result(ready[0], job)
            if time.monotonic() >= until:
                return None

    def close(self) -> None:
        if self._ray.is_initialized():
            for reference in self._under_way:
                self._ray.cancel(reference, force=True)
            self._under_way.clear()
        self._cluster.close()

    def _result(self, reference: Any, job: Job) -> StageResult:
        errors = self._ray.exceptions
        try:
            result: StageResult = self._ray.get(reference)
            return self._in_a_part(job.stage, result)
        except errors.RayTaskError as error:  # the worker could not unpickle the stage
            cause = str(error.cause or error).strip()
            return StageResult("failed", f"the worker could not start it: {cause.splitlines()[-1]}", traceback=cause)
        except errors.OutOfMemoryError as error:
            return StageResult("out_of_memory", f"{_one_line(error)}{self._where(job)}", lost=True)
        except errors.RayError as error:
            what = f"the worker was lost{self._where(job)}: {type(error).__name__}: {_one_line(error)}"
            return StageResult("failed", what, lost=True)

    def _in_a_part(self, stage: Stage, result: StageResult) -> StageResult:
        """``result``; to be tried again on a whole card where a part, by measured peaks, was too small."""
        if result.outcome != "out_of_memory" or stage.key in self._whole or not self._demand.shares(stage):
            return result
        self._whole.add(stage.key)
        part = f"it had {self._demand.part_of_card(stage):g} of a card, and gets a whole one if it is tried again"
        return replace(result, reason=f"{result.reason}; {part}", lost=True)

    def _where(self, job: Job) -> str:
        place = where(self._store.root, job.stage.key, job.attempt)
        return f" ({place})" if place else ""

    def _over_limit(self) -> tuple[Stage, StageResult] | None:
        """Terminate a stage that exceeded its limit, and return it. Its clock starts when its log appears."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return None
        self._looked = time.monotonic()
        for reference, task in self._under_way.items():
            stage = task.job.stage
            if task.clock is None:
                began = (self._store.root / task.job.attempt.log(stage.key)).exists()
                if task.job.limit and (began or time.monotonic() - task.submitted > UNSEEN):
                    task.clock = Clock(task.job.limit, partial(self._store.how_far, stage.key))
            elif why := task.clock.broken():
                self._ray.cancel(reference, force=True)
                self._ray.wait([reference], timeout=10)  # until its processors are free again
                del self._under_way[reference]
                return stage, StageResult("timeout", why, time.monotonic() - task.submitted)
        return None

    def _current_machines(self) -> list[Room]:
        """The machines of the cluster, cached for two seconds."""
        if time.monotonic() - self._seen > MACHINES_EVERY:
            self._seen = time.monotonic()
            alive = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            self._machines = [Room(has.get("CPU", 0), has.get("GPU", 0), has.get("memory", 0) / 2**20) for has in alive]
        return self._machines


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
