"""What the harness itself costs: planning, bookkeeping, starting stages, resuming.

pytest tests/perf/test_scheduling.py -s -o addopts=
"""

import json
import time

import pytest

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.execute.backend import Backend
from ddbench.execute.schedule import find_missing, run_schedule, to_run
from ddbench.plan.build import make_plan
from ddbench.stages.run import StageResult
from ddbench.store.opening import open_store
from ddbench.types import Cell, Record
from tests.support.faults.bench import Toy


class Nothing(Backend):
    """Runs nothing, and leaves records if asked to."""

    def __init__(self, slots=64, store=None):
        self.slots, self.store, self.queue = slots, store, []

    def refuses(self, stage):
        return None

    def fits(self, stage):
        return len(self.queue) < self.slots

    def submit(self, job):
        self.queue.append(job.stage)

    def wait(self, seconds):
        stage = self.queue.pop()
        if self.store and stage.kind == "evaluate":
            cell, curve = Cell(**stage.task["cell"]), ((1, 0.5),)
            config = {"evaluate": stage.task}
            self.store.write_record(Record(stage.key, cell, "ok", curve=curve, correct="ff" * 45, config=config))
        elif self.store:
            self.store.write(stage.kind, stage.key, lambda f: (f / "x").write_bytes(b"x"), {"task": stage.task})
        return stage, StageResult("ok", seconds=0.1)

    def close(self): ...


class Quiet:
    def begin(self, to_run): ...

    def started(self, stage): ...

    def finished(self, stage, result): ...

    def say(self, message): ...


STUDY = """\
name: many
grid:
  {{datasets: [digits], methods: [random], ipc: [1], archs: [convnet3-w32], protocol: cpu-small@1,
   seeds: {seeds}, eval_seeds: {eval_seeds}}}
"""


def digits(folder, seeds, eval_seeds):
    path = folder / "many.yaml"
    path.write_text(STUDY.format(seeds=list(range(seeds)), eval_seeds=list(range(eval_seeds))))
    return resolve(load_config(str(path), {}, []))


def test_planning_and_walking_a_hundred_thousand_cells(tmp_path, monkeypatch):
    study = digits(tmp_path, 1000, 100)
    began = time.perf_counter()
    plan = make_plan(study)
    planned = time.perf_counter()
    assert len(plan.cells) == 100_000
    store = open_store(tmp_path / "s", create=True)
    missing = to_run(plan, store)
    # What is measured is the bookkeeping: leases are files, and cost the disk's time for each stage.
    monkeypatch.setattr("ddbench.store.leases.Leases.claim", lambda self, key: True)
    looked = time.perf_counter()
    summary = run_schedule(plan, store, missing, Nothing(), Quiet())
    scheduled = time.perf_counter()
    assert summary.cells["ok"] == 100_000
    print(
        f"\n100,000 cells: planned in {planned - began:.1f} s, {looked - planned:.1f} s to see what is missing, "
        f"scheduled in {scheduled - looked:.1f} s"
    )


def test_resuming_a_finished_study_of_ten_thousand_records(tmp_path):
    plan = make_plan(digits(tmp_path, 1000, 10))
    store = open_store(tmp_path / "s", create=True)
    run_schedule(plan, store, to_run(plan, store), Nothing(store=store), Quiet())
    began = time.perf_counter()
    missing = find_missing(plan, store, Quiet())
    looked = time.perf_counter()
    assert not missing.stages
    assert len(missing.done) == 10_000
    from ddbench.api.stores import Stores
    from ddbench.api.tables import make_tables

    make_tables("main", Stores.of_store(store, plan.cells), plan.cells, list(missing.done.values()))
    print(
        f"\n10,000 records, 1,000 sets: {looked - began:.1f} s to see that nothing is missing, "
        f"{time.perf_counter() - looked:.1f} s for the table"
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_thousand_cells_that_do_nothing(tmp_path, executor):
    toy = Toy(tmp_path)
    toy.run("s", "--executor", executor, "--eval-seeds", "1000-1003")  # imports, disk caches
    took = {}
    for cells in (10, 1010):
        began = time.perf_counter()
        code, document, errors = toy.run(f"s{cells}", "--executor", executor, "--eval-seeds", f"0-{cells - 1}")
        took[cells] = time.perf_counter() - began
        assert code == 0, errors
        assert document["cells"]["ok"] == cells
    print(f"\n{executor}: {took[1010] - took[10]:.1f} ms a cell beyond {took[10]:.1f} s to start and end")
    assert json.dumps(document["table"])
