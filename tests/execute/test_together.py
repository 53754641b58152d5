"""Evaluations of one sort in one process: chosen by the scheduler, each with its own lease, record and failure."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import types

import pytest
import torch

from ddbench import turns
from ddbench.api.frames import make_frame
from ddbench.api.stores import Stores
from ddbench.config.schema import Resources, load_config
from ddbench.errors import BenchError
from ddbench.execute import limits
from ddbench.execute.demand import Demand, Room, recorded_peaks
from ddbench.execute.history import sort_of
from ddbench.execute.inline import Inline
from ddbench.execute.job import Job
from ddbench.execute.limits import Limit
from ddbench.execute.on_ray import GRACE, OnRay, _UnderWay
from ddbench.execute.policy import Policy
from ddbench.execute.schedule import run_schedule, to_run
from ddbench.execute.together import MOST, alike, most_together
from ddbench.stages import together as stages_together
from ddbench.stages.attempt import Attempt
from ddbench.store.opening import open_store
from tests.support.invoke import invoke
from tests.support.judged import SHORT, before_judging, digits, evaluations, numbers, prepared
from tests.support.pretend import Pretend, Quiet

THREE = Demand({"evaluate": Resources(together=3)})


def run(plan, folder, demand=THREE, policy=None):
    """(summary, what was said and ended, store) of a plan that is run in this process."""
    store, observer = open_store(folder, create=True), Quiet()
    missing = to_run(plan, store, observer)
    summary = run_schedule(plan, store, missing, Inline(store.address, demand), observer, policy)
    return summary, observer, store


def together(store):
    """Number of the evaluation seed -> how many ran together."""
    store.refresh()
    return {record.cell.eval_seed: record.run.get("together", 1) for record in store.records()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The numbers of four evaluations that ran one after another."""
    summary, _, store = run(digits(**{"grid.eval_seeds": [0, 1, 2, 3]}), tmp_path_factory.mktemp("s") / "s", Demand())
    assert summary.cells["ok"] == 4
    assert set(together(store).values()) == {1}
    return numbers(store)


def test_as_many_as_are_asked_for_run_together_each_with_its_lease(alone, tmp_path, monkeypatch):
    plan = digits(**{"grid.eval_seeds": [0, 1, 2, 3]})
    leases = []

    def look(name):
        leases.append({path.name.partition(".")[0] for path in (tmp_path / "s" / "leases").iterdir()})

    before_judging(monkeypatch, look)
    summary, observer, store = run(plan, tmp_path / "s")
    assert summary.cells["ok"] == 4
    assert [outcome for _, outcome in observer.ended] == ["ok"] * 5
    assert together(store) == {0: 3, 1: 3, 2: 3, 3: 1}
    assert numbers(store) == alone
    keys = [stage.key for stage in evaluations(plan)]
    assert leases[0] == set(keys[:3])
    assert leases[-1] == {keys[3]}
    assert not list((tmp_path / "s" / "leases").iterdir())


def test_what_one_does_not_survive_is_its_own_record(alone, tmp_path, monkeypatch):
    def act(name):
        if name.endswith("eval0"):
            raise ValueError("as asked")
        if name.endswith("eval1") and turns.taking():
            raise torch.OutOfMemoryError("CUDA out of memory")
        while name.endswith("eval2"):
            time.sleep(0.01)

    before_judging(monkeypatch, act)
    monkeypatch.setattr(stages_together, "PATIENCE", 0.1)
    plan = digits(**{"grid.eval_seeds": [0, 1, 2, 3]})
    policy = Policy(timeouts={"evaluate": 4.0})
    summary, observer, store = run(plan, tmp_path / "s", Demand({"evaluate": Resources(together=4)}), policy)
    found = {record.cell.eval_seed: record for record in store.records()}
    assert {seed: record.outcome for seed, record in found.items()} == {0: "failed", 1: "ok", 2: "timeout", 3: "ok"}
    assert found[0].reason == "ValueError: as asked"
    assert "it took longer than the 4 s of timeouts.evaluate" in found[2].reason
    assert found[1].run.get("together", 1) == 1, "out of memory beside others, it ran alone"
    assert any("beside 3 others" in said and "it is tried again alone" in said for said in observer.said)
    expected = {key: value for key, value in numbers(store).items() if value[0] == "ok"}
    assert expected.items() <= alone.items()
    logs = {seed: (store.root / found[seed].run["output"]).read_text() for seed in found}
    assert "ValueError: as asked" in logs[0] and "as asked" not in logs[3]
    assert summary.cells == {"total": 4, "ok": 2, "failed": 2, "cached": 0, "skipped": 0}


def test_those_of_one_sort_and_dataset_are_alike_and_plug_ins_are_alone():
    plan = digits(**{"grid.ipc": [1, 10], "grid.seeds": [0, 1], "grid.methods": ["random", "herding"]})
    stages = evaluations(plan)
    found = list(alike(stages[0], stages))
    assert {stage.task["cell"]["ipc"] for stage in found} == {stages[0].task["cell"]["ipc"]}
    assert len(found) == 11, "three seeds of two sets of two methods, but for itself"
    others = evaluations(digits(**{"grid.protocol": "cpu-small@1"}))
    assert not list(alike(stages[0], others))
    assert not list(alike(next(s for s in plan.stages.values() if s.kind == "distill"), plan.stages.values()))
    plugged = dataclasses.replace(stages[0], addresses={**stages[0].addresses, "mine:Network": "mine:Network"})
    assert most_together(stages[0], THREE) == 3
    assert most_together(plugged, THREE) == 1
    compiled = dataclasses.replace(stages[0], task={**stages[0].task, "compute": {"compile": "blocks"}})
    assert most_together(compiled, THREE) == 1


def on_card(peak=None, **asked):
    """(an evaluation on a card, what it takes where its sort was measured at ``peak`` MiB on a card of 80 GB)"""
    stage = evaluations(digits())[0]
    stage = dataclasses.replace(stage, task={**stage.task, "device": "cuda"})
    peaks = {} if peak is None else {sort_of(stage.task): float(peak)}
    return stage, Demand({"evaluate": Resources(**asked)}, {}, peaks, 80_000)


@pytest.mark.parametrize(
    ("most", "peak", "asked"),
    [
        (1, None, {}),  # measured alone first
        (1, None, {"together": 4}),
        (MOST, 500, {}),
        (1, 3000, {}),  # fills the card by itself
        (4, 3000, {"together": 4}),
        (2, 30_000, {"together": 4}),  # 2 x 1.25 x 30 GB and the context; not three
        (1, 70_000, {"together": 4}),
        (3, 2000, {"gpus": 0.125}),  # of an eighth: 3 x 1.25 x 2 GB and the context
    ],
)
def test_a_card_is_never_overcommitted(most, peak, asked):
    assert most_together(*on_card(peak, **asked)) == most


def test_on_a_card_of_unknown_memory_only_what_is_asked_for_runs_together():
    stage, demand = on_card(500)
    assert most_together(stage, dataclasses.replace(demand, card_mib=0)) == 1
    stage, demand = on_card(500, together=4)
    assert most_together(stage, dataclasses.replace(demand, card_mib=0)) == 4


def test_a_process_of_several_takes_the_memory_of_all_and_the_processors_of_one():
    machine = Room(8, 1, 16_000)
    stage, demand = on_card(1500)
    assert (demand.of(stage, machine).gpus, demand.of(stage, machine, 6).gpus) == (0.125, 0.25)
    demand = Demand({}, {"evaluate": 5000})
    one = evaluations(digits())[0]
    assert demand.of(one, machine, 3) == Room(1, 0, 15_000)
    assert not machine.holds(demand.of(one, machine, 4))


def test_a_measured_peak_is_known_at_once():
    stage, demand = on_card()
    assert demand.measured(stage, None) is demand
    assert most_together(stage, demand.measured(stage, 500)) == MOST


def test_peaks_of_several_are_divided_and_give_way_to_those_of_one(tmp_path):
    plan = digits()
    _, _, store = run(plan, tmp_path / "s")
    shared = max(record.run["peak_memory_mib"] for record in store.records())  # of one process, at the end of each
    assert recorded_peaks(store, ["evaluate"])[0] == {"evaluate": pytest.approx(shared / 3)}
    path = next(store.root.glob("records/*.ok.*.json"))
    document = json.loads(path.read_text())
    del document["run"]["together"]
    document["run"]["peak_memory_mib"] = 7
    path.write_text(json.dumps(document))
    assert recorded_peaks(store, ["evaluate"])[0] == {"evaluate": 7}


def test_what_is_shown_of_them_is_their_part_of_the_time_and_no_peak_of_their_own(tmp_path):
    plan = digits()
    _, _, store = run(plan, tmp_path / "s")
    cells = [[vars(cell), key] for cell, key in plan.cells.items()]
    config = load_config("digits", {}, []).model_dump(mode="json")
    store.write_run({"name": "digits", "config": config, "cells": cells})
    record = next(iter(store.records()))
    done = invoke("show", record.key, "--store", store.root)
    seconds, wall = record.run["seconds"]["evaluate"], record.run["wall_seconds"]
    assert f"{seconds:.3g} s of the {wall:.3g} s of 3 stages together" in " ".join(done.stdout.split()), done.stderr
    frame = make_frame("records", Stores((store.root,)), {record.cell: record.key}, [record])
    assert list(frame["seconds_evaluate"]) == [seconds]
    assert frame["peak_memory_mib_evaluate"].isna().all()


def test_only_evaluations_may_be_asked_to_run_together():
    assert load_config("digits", {}, ["resources.evaluate.together=4"]).resources["evaluate"].together == 4
    for wrong in ("resources.distill.together=4", "resources.evaluate.together=0"):
        with pytest.raises(BenchError, match="together"):
            load_config("digits", {}, [wrong])


def test_a_lost_process_is_tried_again_alone(tmp_path):
    from ddbench.stages.run import StageResult

    plan = digits()
    store, jobs = open_store(tmp_path / "s", create=True), []

    class Shared(Pretend):
        def most_together(self, stage):
            return 3

        def submit(self, *given):
            jobs.append([(job.stage.label[-5:], job.attempt.number, job.attempt.together) for job in given])
            for job in given:
                super().submit(job)

    lost = StageResult("failed", "the worker was lost", lost=True)
    labels = [stage.label for stage in evaluations(plan)]
    backend = Shared(store, slots=1, outcomes={label: [lost, StageResult("ok")] for label in labels})
    summary = run_schedule(plan, store, to_run(plan, store, Quiet()), backend, Quiet())
    assert summary.cells["ok"] == 3
    assert jobs[1] == [("eval0", 1, 3), ("eval1", 1, 3), ("eval2", 1, 3)]
    assert sorted(jobs[2:]) == [[("eval0", 2, 1)], [("eval1", 2, 1)], [("eval2", 2, 1)]]


def start(store, *arguments, protocol=f"cpu-small@1[{SHORT}]"):
    command = [sys.executable, "-m", "ddbench.cli.main", "run", "--config", "digits", "--store", str(store)]
    grid = ["--methods", "random", "--ipc", "10", "--archs", "convnet3-w32", "--seeds", "0", "--protocol", protocol]
    return subprocess.Popen(
        [*command, *grid, "--set", "resources.evaluate.together=3", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def begun(store, n):
    """Wait for the logs of ``n`` evaluations; the process ids in them."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        lines = [path.read_text().partition("\n")[0] for path in store.glob("logs/*.log")]
        found = [int(line.split("process ")[1].split(",")[0]) for line in lines if "evaluate" in line]
        if len(found) >= n:
            return found
        time.sleep(0.05)
    raise AssertionError("they did not begin")


LONG = "cpu-small@1[epochs_by_ipc=[[1000,100000]]]"


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_an_interrupt_leaves_no_lease_and_no_record(tmp_path):
    store = tmp_path / "s"
    process = start(store, "--executor", "inline", "--eval-seeds", "0-3", protocol=LONG)
    begun(store, 3)
    assert len(list((store / "leases").iterdir())) == 3
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None, "the stages under way are waited for"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "3 under way are waited for" in errors
    assert "Traceback" not in errors
    assert not list((store / "leases").iterdir())
    assert not list((store / "records").glob("[!.]*"))


@pytest.fixture(scope="module")
def under_ray(tmp_path_factory):
    """(store, executor) of three evaluations that ran together under Ray; the executor is still there."""
    plan = digits()
    store = prepared(plan, tmp_path_factory.mktemp("ray") / "s")
    backend = OnRay(store.address, THREE)
    summary = run_schedule(plan, store, to_run(plan, store, Quiet()), backend, Quiet())
    assert summary.cells["ok"] == 3
    yield store, backend
    backend.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_under_ray_they_are_one_task_with_the_numbers_of_each_alone(alone, under_ray):
    store, _ = under_ray
    found = numbers(store)
    assert found.items() <= alone.items()
    assert together(store) == {0: 3, 1: 3, 2: 3}
    assert len({record.run["process"] for record in store.records()}) == 1
    assert len({record.run["output"] for record in store.records()}) == 3


def under_way(backend, monkeypatch, **limit):
    """Three jobs that the executor takes for a task under way."""
    jobs = tuple(Job(stage, Attempt(together=3), Limit("evaluate", **limit)) for stage in evaluations(digits()))
    monkeypatch.setattr(backend, "_under_way", {"task": _UnderWay(jobs, Room(1, 0, 0), time.monotonic())})
    return jobs


@pytest.mark.timeout(300)
def test_of_a_lost_process_each_is_lost(under_ray, monkeypatch):
    _, backend = under_ray
    jobs = under_way(backend, monkeypatch)

    def crashed(reference):
        raise backend._ray.exceptions.WorkerCrashedError

    monkeypatch.setattr(backend._ray, "get", crashed)
    monkeypatch.setattr(backend._ray, "wait", lambda references, **_: (references, []))
    ended = [backend.wait(1.0) for _ in jobs]
    assert [stage for stage, _ in ended] == [job.stage for job in jobs]
    assert all(result.lost and "the worker was lost" in result.reason for _, result in ended)


@pytest.mark.timeout(300)
def test_a_process_that_does_not_end_one_over_its_limit_is_terminated_and_the_others_are_lost(under_ray, monkeypatch):
    store, backend = under_ray
    jobs = under_way(backend, monkeypatch, seconds=10)
    cancelled = []
    monkeypatch.setattr(backend._ray, "cancel", lambda reference, force: cancelled.append(reference))
    monkeypatch.setattr(backend._ray, "wait", lambda references, **_: ([], references))
    log = store.root / jobs[1].attempt.log(jobs[1].stage.key)
    log.touch()
    clock = types.SimpleNamespace(monotonic=time.monotonic)
    monkeypatch.setattr(limits, "time", clock)
    backend._looked = float("-inf")
    assert backend.wait(0.0) is None
    clock.monotonic = lambda: time.monotonic() + 3 * 10 + GRACE - 5
    backend._looked = float("-inf")
    assert backend.wait(0.0) is None, "it may end the stage itself"
    clock.monotonic = lambda: time.monotonic() + 3 * 10 + GRACE + 5
    backend._looked = float("-inf")
    ended = [backend.wait(0.0) for _ in jobs]
    assert cancelled == ["task"]
    assert [(result.outcome, result.lost) for _, result in ended] == [
        ("failed", True),
        ("timeout", False),
        ("failed", True),
    ]
