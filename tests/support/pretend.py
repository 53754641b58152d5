"""A backend that runs nothing, for tests of what goes on around stages, and an observer that remembers."""

import dataclasses

from ddbench.execute.backend import Backend
from ddbench.execute.observer import Observer
from ddbench.execute.schedule import run_schedule, to_run
from ddbench.stages.run import StageResult
from ddbench.types import Cell, Record


class Pretend(Backend):
    """Writes what a stage would leave behind; ``outcomes`` makes chosen labels end otherwise."""

    def __init__(self, store, slots=2, outcomes=None, last_first=False, refused=None):
        self.refused = refused or {}
        self.store, self.slots, self.outcomes, self.last_first = store, slots, dict(outcomes or {}), last_first
        self.queue, self.order, self.jobs = [], [], []

    def refuses(self, stage):
        return self.refused.get(stage.label)

    def fits(self, stage):
        return len(self.queue) < self.slots

    def submit(self, job):
        stage = job.stage
        for parent in stage.parents:
            assert any(self.store.has(kind, parent) for kind in ("prior", "fit", "distill")), (
                "started before its parent"
            )
        self.queue.append(stage)
        self.order.append(stage)
        self.jobs.append(job)

    def wait(self, seconds):
        stage = self.queue.pop(-1 if self.last_first else 0)
        result = self.outcomes.pop(stage.label, StageResult("ok"))
        if isinstance(result, list):
            result, *rest = result
            if rest:
                self.outcomes[stage.label] = rest
        if result.outcome == "ok" and stage.kind == "evaluate":
            record = Record(key=stage.key, cell=Cell(**stage.task["cell"]), outcome="ok", curve=((1, 0.5),))
            result = dataclasses.replace(result, record=self.store.write_record(record))
        elif result.outcome == "ok":
            self.store.write(stage.kind, stage.key, lambda f: (f / "x").write_bytes(b"x"), {})
        return stage, result

    def close(self): ...


def run_missing(plan, store, backend, observer):
    return run_schedule(plan, store, to_run(plan, store, observer), backend, observer)


class Quiet(Observer):
    """Keeps what it is told, for a test to look at."""

    def __init__(self):
        self.said, self.ended = [], []

    def finished(self, stage, result):
        self.ended.append((stage.label, result.outcome))

    def say(self, message):
        self.said.append(message)
