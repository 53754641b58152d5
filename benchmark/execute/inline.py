"""Runs stages one after another in this process: the reference for all other backends.

A time limit can interrupt Python code in the main thread only. A stage that hangs in native code is terminated when it
returns to Python; with Ray, its process is killed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ddbench.execute.backend import Backend, Job
from ddbench.execute.demand import Demand, Room, refusal
from ddbench.execute.limits import Clock
from ddbench.execute.together import most_together, run_jobs
from ddbench.plan.graph import Stage
from ddbench.processors import allowed_processors
from ddbench.stages.attempt import forget_progress
from ddbench.stages.run import StageResult, run_stage
from ddbench.store.folder import Store
from ddbench.store.opening import store_at

TICK = 0.2
"""seconds between checks of the limit"""


class _LimitExceeded(BaseException):
    """A stage exceeded its limit. Not an Exception, so that the stage's own handlers do not catch it."""


class Inline(Backend):
    """``demand`` serves to refuse stages that need more than this machine has, and to tell how many small ones run
    together: else one stage runs at a time."""

    def __init__(self, root: str, demand: Demand | None = None) -> None:
        self._root = root
        self._demand = demand or Demand()
        self._next: tuple[Job, ...] = ()
        self._ended: deque[tuple[Stage, StageResult]] = deque()
        """stages that ran together, not told yet"""
        self._machine: Room | None = None

    def refuses(self, stage: Stage) -> str | None:
        if self._machine is None:
            self._machine = _this_machine(stage)
        return refusal(stage, self._demand.of(stage, self._machine), [self._machine])

    def fits(self, stage: Stage) -> bool:
        return not self._next and not self._ended

    def most_together(self, stage: Stage) -> int:
        most = most_together(stage, self._demand)
        machine = self._machine or _this_machine(stage)
        return next((n for n in range(most, 1, -1) if machine.holds(self._demand.of(stage, machine, n))), 1)

    def submit(self, *jobs: Job) -> None:
        for job in jobs:
            forget_progress(store_at(self._root).root, job.stage.key)
        self._next = jobs

    def wait(self, seconds: float) -> tuple[Stage, StageResult]:
        """Run the submitted stages to their end, however long that takes; the first of them."""
        if not self._ended:
            jobs = self._next
            self._next = ()
            together = len(jobs) > 1
            results = run_jobs(jobs, self._root) if together else [self._alone(jobs[0])]
            self._ended.extend(zip((job.stage for job in jobs), results, strict=True))
        stage, result = self._ended.popleft()
        self._demand = self._demand.measured(stage, result.gpu_mib)
        return stage, result

    def _alone(self, job: Job) -> StageResult:
        began = time.perf_counter()
        try:
            with _with_limit(job, store_at(self._root)):
                return run_stage(job.stage, self._root, job.attempt)
        except _LimitExceeded as error:
            return StageResult("timeout", str(error), time.perf_counter() - began)

    def close(self) -> None:
        self._next = ()


@contextmanager
def _with_limit(job: Job, store: Store) -> Iterator[None]:
    """Within the block, raise _LimitExceeded once when the job exceeds its limit."""
    if not job.limit or threading.current_thread() is not threading.main_thread():
        yield
        return
    import torch  # noqa: F401  (its import does not count)

    clock = Clock(job.limit, lambda: store.how_far(job.stage.key))

    def look(*_: Any) -> None:
        if why := clock.broken():
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise _LimitExceeded(why)

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _this_machine(stage: Stage) -> Room:
    gpus = 0
    if stage.task["device"] == "cuda":
        import torch

        gpus = torch.cuda.device_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20
    return Room(allowed_processors(), gpus, memory)
