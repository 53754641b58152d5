"""Several stages in one process, which take turns between the steps of their trainings.

Each has its own thread, log, attempt, generators and settings of the process, and computes bit for bit what it would
alone. On a card each has a stream of its own, so that networks which are too small to fill it are trained side by side.
"""

from __future__ import annotations

import ctypes
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ddbench.isolation.process import ProcessState
from ddbench.stages import attempt
from ddbench.stages.attempt import Attempt
from ddbench.stages.run import StageResult, run_stage
from ddbench.turns import Turn, Turns

if TYPE_CHECKING:
    from ddbench.plan.graph import Stage

TICK = 0.2
"""seconds between two looks at the limits"""
PATIENCE = 1.0
"""seconds that a turn of a stage which is to end may last; then the stage is interrupted where it is"""


class Ended(BaseException):
    """A stage is to end. Not an Exception, so that the stage's own handlers do not catch it."""


def run_together(
    stages: Sequence[Stage],
    root: str,
    trials: Sequence[Attempt],
    over: Callable[[int, float], str | None] = lambda *_: None,
) -> list[StageResult]:
    """The results of ``stages``, one by one as of ``run_stage``.

    ``over(i, seconds)``, called again and again once stage i has begun, with the seconds of its own turns: which of its
    limits is exceeded; that stage alone is then terminated, with the outcome ``timeout``. An exception of this thread,
    as an interrupt, ends all stages.
    """
    import torch

    if any(stage.task["device"] == "cuda" for stage in stages) and torch.cuda.is_available():
        torch.cuda.init()  # from here on each stage has generators of its own
    attempt.measure_from_here()
    before = ProcessState()
    states = [before.another() for _ in stages]
    turns = Turns(states, before)
    runs = [_Run(stage, root, trial, turn) for stage, trial, turn in zip(stages, trials, turns.all, strict=True)]
    try:
        for run in runs:
            run.thread.start()
        while alive := [run for run in runs if run.thread.is_alive()]:
            alive[0].thread.join(TICK)
            for i, run in enumerate(runs):
                if run.thread.is_alive() and run.turn.began and not run.why and (why := over(i, run.turn.seconds)):
                    run.end(why)
                run.insist()
    finally:
        for run in runs:
            run.end("the process was interrupted")
            if run.thread.ident is None:
                turns.drop(run.turn)
        for run in runs:
            while run.thread.is_alive():
                run.thread.join(TICK)
                run.insist()
        turns.put_back()
        for state in (before, *states):
            state.close()
    return [run.result for run in runs]


@dataclass
class _Run:
    """One of the stages, and the thread that it runs in."""

    stage: Stage
    root: str
    trial: Attempt
    turn: Turn
    result: StageResult = field(default_factory=lambda: StageResult("failed", "it was not started"))
    why: str = ""
    """it is to end for"""
    insisted: bool = False

    def __post_init__(self) -> None:
        run = copy_context().run
        self.thread = threading.Thread(target=run, args=(self._work,), name=f"stage {self.stage.label}")

    def _work(self) -> None:
        began = time.perf_counter()
        try:
            with self.turn.taken():
                began = time.perf_counter()
                self.result = run_stage(self.stage, self.root, self.trial)
        except Ended:
            self.result = StageResult("timeout", self.why, time.perf_counter() - began)
        except BaseException as error:  # no other stage may be left waiting for a turn
            self.result = StageResult("failed", f"{type(error).__name__}: {error}", traceback=traceback.format_exc())
        finally:
            self.turn.turns.drop(self.turn)

    def end(self, why: str) -> None:
        """Have the stage end at its next step, or before its first."""
        if not self.why:
            self.why = why
            self.turn.end(Ended())

    def insist(self) -> None:
        """Interrupt the stage within a long step, as soon as it is in Python."""
        ident = self.thread.ident
        if self.why and not self.insisted and ident is not None and self.turn.current and self.turn.lasts > PATIENCE:
            self.insisted = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Ended))
