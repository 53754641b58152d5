"""Stages as Ray tasks, in parallel on one machine or many."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ddbench.execute.backend import Backend, Job
from ddbench.execute.cluster import Say, join, own_card, sees_all_cards, start
from ddbench.execute.demand import NOTHING, Demand, Room, largest, refusal
from ddbench.execute.limits import Clock, Limit
from ddbench.execute.together import most_together, run_jobs
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


GRACE = 30.0
"""seconds after which a process is terminated that did not end one of several stages over its limit by itself"""


def run_on_worker(stage: Stage, root: str, attempt: Attempt) -> StageResult:
    """``run_stage`` on the card that Ray gave to the task."""
    return run_stage(stage, root, replace(attempt, card=own_card()))


def run_together_on_worker(jobs: tuple[Job, ...], root: str) -> list[StageResult]:
    """``run_jobs`` on that card."""
    return run_jobs(jobs, root, own_card())


@dataclass
class _UnderWay:
    """A task: one stage, or several that run together."""

    jobs: tuple[Job, ...]
    room: Room
    submitted: float
    clocks: dict[str, Clock] = field(default_factory=dict)
    """by key of the stage, from when its log appeared"""

    def limit(self, job: Job) -> Limit:
        n = len(self.jobs)
        return job.limit if n == 1 else job.limit.times(n, GRACE)


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
        self._ended: deque[tuple[Stage, StageResult]] = deque()
        """stages of a task that ended, not told yet"""
        # Without resources in the decorator, Ray keeps the process after a task on a GPU, with its imports and context.
        self._run = self._ray.remote(run_on_worker)
        self._run_together = self._ray.remote(run_together_on_worker)
        self._joined = address is not None
        self._whole: set[str] = set()
        """keys of stages for which a part of a card was too small"""
        self._machines: list[Room] = []
        self._seen = self._looked = float("-inf")

    def refuses(self, stage: Stage) -> str | None:
        return refusal(stage, self._room(stage), self._current_machines())

    def fits(self, stage: Stage) -> bool:
        return self._free().holds(self._room(stage))

    def most_together(self, stage: Stage) -> int:
        most, free = most_together(stage, self._demand), self._free()
        if stage.key in self._whole:
            return 1
        biggest = largest(self._current_machines())
        rooms = ((n, self._room(stage, n)) for n in range(most, 1, -1))
        return next((n for n, room in rooms if free.holds(room) and biggest.holds(room)), 1)

    def _free(self) -> Room:
        taken = sum((task.room for task in self._under_way.values()), NOTHING)
        return sum(self._current_machines(), NOTHING) - taken

    def _room(self, stage: Stage, together: int = 1) -> Room:
        room = self._demand.of(stage, largest(self._current_machines()), together)
        return replace(room, gpus=1.0) if stage.key in self._whole else room

    def submit(self, *jobs: Job) -> None:
        stage = jobs[0].stage
        room = self._room(stage, len(jobs))
        task = (self._run if len(jobs) == 1 else self._run_together).options(
            runtime_env=sees_all_cards() if self._joined and room.gpus else None,
            num_cpus=room.cpus,
            num_gpus=room.gpus,
            memory=int(room.memory * 2**20) or None,
            max_retries=0,
            name=stage.label if len(jobs) == 1 else f"{stage.label} and {len(jobs) - 1} more",
        )
        for job in jobs:
            forget_progress(self._store.root, job.stage.key)
        given = tuple(replace(job, attempt=replace(job.attempt, share=room.gpus or 1.0)) for job in jobs)
        if len(given) == 1:
            reference = task.remote(stage, self._store.address, given[0].attempt)
        else:
            reference = task.remote(given, self._store.address)
        self._under_way[reference] = _UnderWay(jobs, room, time.monotonic())

    def wait(self, seconds: float) -> tuple[Stage, StageResult] | None:
        until = time.monotonic() + seconds
        limited = any(job.limit for task in self._under_way.values() for job in task.jobs)
        while True:
            if not self._ended and limited:
                self._end_over_limit()
            if self._ended:
                return self._ended.popleft()
            left = max(0.0, until - time.monotonic())
            ready, _ = self._ray.wait(list(self._under_way), num_returns=1, timeout=min(left, LOOK_EVERY))
            if ready:
                jobs = self._under_way.pop(ready[0]).jobs
                results = self._results(ready[0], jobs)
                self._ended.extend(zip((job.stage for job in jobs), results, strict=True))
            elif time.monotonic() >= until:
                return None

    def close(self) -> None:
        if self._ray.is_initialized():
            for reference in self._under_way:
                self._ray.cancel(reference, force=True)
            self._under_way.clear()
        self._cluster.close()

    def _results(self, reference: Any, jobs: tuple[Job, ...]) -> list[StageResult]:
        errors = self._ray.exceptions
        try:
            found: StageResult | list[StageResult] = self._ray.get(reference)
        except errors.RayTaskError as error:  # the worker could not unpickle the stage
            cause = str(error.cause or error).strip()
            what = f"the worker could not start it: {cause.splitlines()[-1]}"
            return [StageResult("failed", what, traceback=cause) for _ in jobs]
        except errors.OutOfMemoryError as error:
            what = _one_line(error)
            return [StageResult("out_of_memory", f"{what}{self._where(job)}", lost=True) for job in jobs]
        except errors.RayError as error:
            what = f"{type(error).__name__}: {_one_line(error)}"
            lost = (f"the worker was lost{self._where(job)}: {what}" for job in jobs)
            return [StageResult("failed", why, lost=True) for why in lost]
        if isinstance(found, list):
            return found
        stage = jobs[0].stage
        self._demand = self._demand.measured(stage, found.gpu_mib)
        return [self._in_a_part(stage, found)]

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

    def _end_over_limit(self) -> None:
        """Terminate tasks with a stage that exceeded its limit. Its clock starts when its log appears. Stages that run
        together are ended by their own process, and with it only where that fails."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        self._looked = time.monotonic()
        for reference, task in tuple(self._under_way.items()):
            if over := {job.stage.key: why for job in task.jobs if (why := self._over(task, job))}:
                self._ray.cancel(reference, force=True)
                self._ray.wait([reference], timeout=10)  # until its processors are free again
                del self._under_way[reference]
                seconds = time.monotonic() - task.submitted
                other = StageResult("failed", "its process was terminated with another stage", seconds, lost=True)
                for job in task.jobs:
                    why = over.get(job.stage.key)
                    self._ended.append((job.stage, StageResult("timeout", why, seconds) if why else other))

    def _over(self, task: _UnderWay, job: Job) -> str | None:
        key = job.stage.key
        if key in task.clocks:
            return task.clocks[key].broken()
        began = (self._store.root / job.attempt.log(key)).exists()
        if job.limit and (began or time.monotonic() - task.submitted > UNSEEN):
            task.clocks[key] = Clock(task.limit(job), partial(self._store.how_far, key))
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
