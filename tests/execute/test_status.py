"""How a run stands, told from its store alone."""

import dataclasses
import json
import threading
import time

import pytest

from ddbench.config.schema import load_config
from ddbench.config.study import ExternalSets, resolve
from ddbench.execute.history import History
from ddbench.execute.status import plan_of, status_of
from ddbench.methods.external_tensors import ExternalTensors
from ddbench.plan.build import make_plan
from ddbench.store.leases import Leases
from ddbench.store.opening import open_store
from ddbench.types import Record
from tests.support.invoke import invoke


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "s", create=True)


@pytest.fixture
def config(tiny_study):
    return load_config(str(tiny_study), {}, [])


@pytest.fixture
def plan(config, store):
    """The plan of a run that has just begun."""
    plan = make_plan(resolve(config))
    begin(store, config, plan)
    return plan


def begin(store, config, plan):
    cells = [[vars(cell), key] for cell, key in plan.cells.items()]
    store.write_run({"name": config.name, "config": config.model_dump(mode="json"), "cells": cells})


def finish(store, plan, method, outcome="ok", seconds=2.0, **more):
    """Every cell of ``method`` ended, and what it rests on is there."""
    for cell, key in plan.cells.items():
        if cell.method == method:
            stages = [stage for stage in plan.ancestors(key) if stage.kind != "evaluate"]
            for stage in stages if outcome == "ok" else []:
                about = {"task": stage.task, "run": {"seconds": 10.0}}
                store.write(stage.kind, stage.key, lambda folder: (folder / "x").write_bytes(b"x"), about)
            curve = ((1, 0.5),) if outcome == "ok" else ()
            run = {"seconds": {"evaluate": seconds}, **more.get("run", {})}
            config = {"evaluate": plan.stages[key].task}
            record = Record(key, cell, outcome, more.get("reason", ""), curve, config=config, run=run)
            store.write_record(record)


def status(store, holder=lambda _: None, runs=None):
    history = History(store)
    history.update()
    return status_of(*plan_of(store.runs() if runs is None else runs), store, holder, history)


def test_before_anything_is_done_all_wait_and_the_time_left_is_unknown(plan, store):
    found = status(store)
    assert found.counts == {"done": 0, "failed": 0, "running": 0, "waiting": 6}
    assert found.left is None
    assert found.remaining.stages == len(plan.stages) == found.remaining.unknown


def test_each_cell_is_in_the_state_that_the_store_says(plan, store):
    finish(store, plan, "random")
    finish(store, plan, "rsm", "timeout", reason="no end in 5 s", run={"output": "logs/a.log"})
    running = next(key for cell, key in plan.cells.items() if cell.method == "rsm_cgs")
    (store.root / "progress").mkdir()
    (store.root / "progress" / running).write_text("1 4")
    found = status(store, {running: "host 7"}.get)
    assert found.counts == {"done": 2, "failed": 2, "running": 1, "waiting": 1}
    failed = next(cell for cell in found.cells if cell.state == "failed")
    assert (failed.outcome, failed.reason, failed.log) == ("timeout", "no end in 5 s", str(store.root / "logs/a.log"))
    (stage,) = found.under_way
    assert (stage.kind, stage.holder, stage.share) == ("evaluate", "host 7", 0.25)
    assert next(cell for cell in found.cells if cell.state == "running").share == 0.25


def test_a_failed_cell_that_is_tried_again_is_running_and_then_done(plan, store):
    finish(store, plan, "rsm", "failed", reason="no")
    key = next(key for cell, key in plan.cells.items() if cell.method == "rsm")
    assert status(store, {key: "host 7"}.get).counts["running"] == 1
    finish(store, plan, "rsm")
    assert status(store).counts == {"done": 2, "failed": 0, "running": 0, "waiting": 4}


def test_the_time_left_is_what_stages_of_the_same_sort_took(plan, store):
    finish(store, plan, "rsm")
    finish(store, plan, "random")
    found = status(store)  # rsm_cgs is left: two sets of a sort that was never made, two evaluations of 2 s
    assert (found.remaining.stages, found.remaining.unknown, found.remaining.seconds) == (4, 2, 4.0)
    evaluations = [key for cell, key in plan.cells.items() if cell.method == "rsm_cgs"]
    (store.root / "progress").mkdir()
    (store.root / "progress" / evaluations[0]).write_text("1 2")
    found = status(store, dict.fromkeys(evaluations, "host 7").get)
    assert found.left == pytest.approx((2.0 + 1.0) / 2), "half of one is done, and two run side by side"


def test_when_all_is_done_nothing_is_left(plan, store):
    for method in ("random", "rsm", "rsm_cgs"):
        finish(store, plan, method)
    found = status(store)
    assert found.remaining.stages == 0
    assert found.left == 0


def test_the_latest_run_counts_unless_all_are_asked_for(plan, config, store):
    smaller = config.model_copy(update={"grid": config.grid.model_copy(update={"methods": ("random",)})})
    begin(store, smaller, make_plan(resolve(smaller)))
    shown = json.loads(invoke("status", "--store", store.root, "--json").stdout)
    assert shown["counts"]["waiting"] == 2
    assert json.loads(invoke("status", "--store", store.root, "--all", "--json").stdout)["counts"]["waiting"] == 6


def test_a_run_that_cannot_be_planned_again_still_shows_its_cells(plan, store):
    finish(store, plan, "random")
    runs = [{**store.runs()[0], "cells": [[cell, key[::-1]] for cell, key in store.runs()[0]["cells"]]}]
    found = status(store, runs=runs)
    assert found.remaining is None
    assert found.counts["waiting"] == 6
    gone = json.loads(json.dumps(store.runs()[0]).replace('"rsm_cgs"', '"uninstalled"'))
    found = status(store, runs=[gone])
    assert found.counts == {"done": 2, "failed": 0, "running": 0, "waiting": 4}


def test_the_command_tells_it_in_words(plan, store):
    finish(store, plan, "random")
    finish(store, plan, "rsm", "failed", reason="ValueError: no", run={"output": "logs/a.log"})
    leases = Leases(store)
    fit = next(stage for stage in plan.stages.values() if stage.kind == "fit")
    assert leases.claim(fit.key)
    try:
        done = invoke("status", "--store", store.root)
    finally:
        leases.close()
    assert done.returncode == 0, done.stderr
    assert "tiny: 6 cells: 2 done, 2 failed, 0 running, 2 waiting" in done.stdout
    assert "under way: fit digits/rsm/fit (" in done.stdout
    cell = "digits/rsm/ipc1/seed0/convnet3-w32/eval0"
    assert f"failed: {cell}: ValueError: no; log: {store.root}/logs/a.log" in done.stdout
    assert "stages of unknown cost" in done.stdout


def test_watching_ends_when_nothing_is_left(plan, store, monkeypatch):
    monkeypatch.setattr("ddbench.cli.status.PAUSE", 0.05)
    for method in ("random", "rsm"):
        finish(store, plan, method)

    def end():
        time.sleep(0.2)
        finish(store, plan, "rsm_cgs")

    last = threading.Thread(target=end)
    last.start()
    done = invoke("status", "--store", store.root, "--watch", "--json")
    last.join()
    looks = [json.loads(line)["counts"]["done"] for line in done.stdout.splitlines()]
    assert looks[0] == 4
    assert looks[-1] == 6
    assert looks == sorted(looks)


def test_a_store_that_nothing_was_run_on_says_so(store):
    done = invoke("status", "--store", store.root)
    assert done.returncode == 2
    assert "nothing has been run" in done.stderr


def test_a_status_writes_nothing(plan, store):
    finish(store, plan, "random")
    before = sorted(str(path) for path in store.root.rglob("*"))
    invoke("status", "--store", store.root)
    assert sorted(str(path) for path in store.root.rglob("*")) == before


def test_cells_are_json(plan, store):
    found = status(store)
    assert json.loads(json.dumps(found.to_json()))["cells"][0]["cell"] == dataclasses.asdict(found.cells[0].cell)


def test_a_run_whose_cells_are_all_done_leaves_nothing_whatever_has_changed(plan, store):
    for method in ("random", "rsm", "rsm_cgs"):
        finish(store, plan, method)
    gone = json.loads(json.dumps(store.runs()[0]).replace('"rsm_cgs"', '"uninstalled"'))
    done = [[cell, key] for cell, key in gone["cells"] if cell["method"] != "uninstalled"]
    found = status(store, runs=[{**gone, "cells": done}])
    assert (found.planned, found.remaining.stages) == (False, 0)


def test_a_run_of_sets_of_other_code_is_planned_again(config, store):
    grid = config.grid.model_copy(update={"methods": ("theirs",), "ipc": (1,), "seeds": (0,)})
    theirs = config.model_copy(update={"grid": grid})
    sets = ExternalSets(ExternalTensors(mean=(0.5,), sd=(0.25,)), ("ab" * 32,))
    plan = make_plan(resolve(theirs, sets))
    cells = [[vars(cell), key] for cell, key in plan.cells.items()]
    about = {"name": "theirs", "config": theirs.model_dump(mode="json"), "cells": cells}
    store.write_run(about)
    assert status(store).remaining is None
    store.write_run({**about, "external": json.loads(json.dumps(sets.to_json()))})
    assert status(store, runs=store.runs()[-1:]).remaining.stages == len(plan.stages)
