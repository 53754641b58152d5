"""Which evaluations are trained together in one process, and how many; the stages of one process under their limits.

A small network leaves most of a card idle, since Python asks for each of its steps; several fill it. On a CPU there is
nothing to gain, and one is trained at a time unless ``resources.evaluate.together`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from ddbench.execute.demand import Demand
from ddbench.execute.history import sort_of
from ddbench.execute.job import Job
from ddbench.execute.limits import Clock
from ddbench.plan.graph import Stage
from ddbench.stages.hardware import compiles
from ddbench.stages.run import StageResult, plugins_of
from ddbench.stages.together import run_together
from ddbench.store.opening import store_at

MOST = 6
"""stages that are trained together on a card by default"""
SMALL_MIB = 2048.0
"""measured peak on a card, MiB, up to which a stage is expected to leave most of it idle"""
WINDOW = 256
"""ready stages among which others of the same sort are looked for"""


def most_together(stage: Stage, demand: Demand) -> int:
    """How many stages of this one's sort one process may train at the same time; 1: it runs alone.

    Alone run stages that run the code of a plug-in, which may change the process at any time, or that are compiled; and
    on a card the first of a sort, whose peak of memory is then known for all. On a card of unknown memory run
    together only as many as the configuration says.
    """
    if stage.kind != "evaluate" or "skipped" in stage.task or plugins_of(stage) or compiles(stage.task):
        return 1
    configured = demand.configured.get(stage.kind)
    asked = configured.together if configured else None
    if stage.task["device"] != "cuda":
        return asked or 1
    peak = demand.gpu_peaks.get(sort_of(stage.task))
    if peak is None:
        return 1
    most = asked or (MOST if peak <= SMALL_MIB and demand.card_mib else 1)
    return next((n for n in range(most, 1, -1) if demand.holds_together(stage, n)), 1)


def alike(stage: Stage, others: Iterable[Stage]) -> Iterator[Stage]:
    """Those of ``others`` that cost what ``stage`` costs and can be trained with it: of its sort, dataset and code."""
    own = _shared(stage)
    return (other for other in others if other.key != stage.key and _shared(other) == own and not plugins_of(other))


def _shared(stage: Stage) -> tuple[object, ...]:
    task = stage.task
    if stage.kind != "evaluate" or "skipped" in task:
        return (stage.key,)
    return (
        sort_of(task),
        task["dataset"],
        task["judged"],
        task["network"],
        task["protocol"],
        task.get("nondeterministic"),
    )


def run_jobs(jobs: Sequence[Job], root: str, card: int | None = None) -> list[StageResult]:
    """Run the stages of ``jobs`` together in this process, on the card of that number."""
    store = store_at(root)
    passed: dict[int, float] = {}
    clocks: dict[int, Clock] = {}

    def over(i: int, seconds: float) -> str | None:
        job, passed[i] = jobs[i], seconds
        if job.limit and i not in clocks:
            clocks[i] = Clock(job.limit, partial(store.how_far, job.stage.key), lambda: passed[i])
        return clocks[i].broken() if i in clocks else None

    trials = [replace(job.attempt, card=card) for job in jobs]
    return run_together([job.stage for job in jobs], root, trials, over)
