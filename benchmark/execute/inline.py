"""Stages one after another in this process: the reference that every other backend must agree with.

A limit interrupts Python code, in the main thread only. A stage that hangs within native code is ended when it returns
to Python; run it with Ray, which ends the process.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ddbench.execute.backend import Backend, Job
from ddbench.execute.demand import Demand, Room, refusal
from ddbench.execute.limits import Clock
from ddbench.plan.graph import Stage
from ddbench.stages.attempt import forget_progress
from ddbench.stages.run import StageResult, run_stage
from ddbench.store.folder import Store
from ddbench.store.opening import store_at

TICK = 0.2
"""seconds between looks at the clock"""


class _Over(BaseException):
    """The limit of a stage is broken. No Exception, so that the stage's own handlers let it pass."""


class Inline(Backend):
    """``demand`` only refuses what this machine does not have: one stage runs at a time."""

    def __init__(self, root: str, demand: Demand | None = None) -> None:
        self._root = root
        self._demand = demand or Demand()
        self._next: Job | None = None
        self._machine: Room | None = None

    def refuses(self, stage: Stage) -> str | None:
        if self._machine is None:
            self._machine = _this_machine(stage)
        return refusal(stage, self._demand.of(stage, self._machine), [self._machine])

    def fits(self, stage: Stage) -> bool:
        return self._next is None

    def submit(self, job: Job) -> None:
        forget_progress(store_at(self._root).root, job.stage.key)
        self._next = job

    def wait(self, seconds: float) -> tuple[Stage, StageResult]:
        """Runs the stage to its end, however long that takes."""
        assert self._next is not None
        job, self._next = self._next, None
        began = time.perf_counter()
        try:
            with _held_to(job, store_at(self._root)):
                return job.stage, run_stage(job.stage, self._root, job.attempt)
        except _Over as over:
            return job.stage, StageResult("timeout", str(over), time.perf_counter() - began)

    def close(self) -> None:
        self._next = None


@contextmanager
def _held_to(job: Job, store: Store) -> Iterator[None]:
    """Raises _Over within the block, once, when the job's limit is broken."""
    if not job.limit or threading.current_thread() is not threading.main_thread():
        yield
        return
    import torch  # noqa: F401  (a limit is no limit on importing it)

    clock = Clock(job.limit, lambda: store.how_far(job.stage.key))

    def look(*_: Any) -> None:
        if why := clock.broken():
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise _Over(why)

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
    return Room(len(os.sched_getaffinity(0)), gpus, memory)
