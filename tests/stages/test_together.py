"""Stages that take turns in one process have the numbers that each has alone, and fail each for itself."""

import random
import sys
import time
import warnings

import numpy as np
import pytest
import torch

from ddbench import turns
from ddbench.stages import attempt, together
from ddbench.stages.attempt import Attempt
from ddbench.stages.run import run_stage
from ddbench.stages.together import run_together
from tests.support.judged import PROTOCOLS, before_judging, digits, evaluations, numbers, prepared
from tests.support.recorded import card


@pytest.fixture(autouse=True)
def every_step(monkeypatch):
    """The turn changes after each step of a training."""
    monkeypatch.setattr(turns, "SLICE", 0.0)


def run(stages, store, **options):
    return run_together(stages, store.address, [Attempt(together=len(stages)) for _ in stages], **options)


@pytest.fixture(scope="module", params=PROTOCOLS)
def alone(request, tmp_path_factory):
    """(plan, the numbers of its evaluations, one after another)"""
    plan = digits(**PROTOCOLS[request.param])
    store = prepared(plan, tmp_path_factory.mktemp("alone") / "s")
    assert all(run_stage(stage, store.address).outcome == "ok" for stage in evaluations(plan))
    return plan, numbers(store)


def test_stages_together_have_the_numbers_of_each_alone_in_any_order(alone, tmp_path):
    plan, expected = alone
    store = prepared(plan, tmp_path / "s")
    results = run(evaluations(plan)[::-1], store)
    assert [result.outcome for result in results] == ["ok"] * 3
    assert numbers(store) == expected
    assert len({curve for _, curve, _, _ in expected.values()}) == 3, "seeds differ, so that a mix-up is seen"


def test_captured_steps_together_have_the_numbers_of_each_alone(alone, tmp_path, monkeypatch):
    """As on a card: draws read ahead, steps replayed, the turn given away before what they put out is seen."""
    plan, expected = alone
    monkeypatch.setattr(turns, "SLICE", 60.0)
    gave = []
    offer = turns.Turn.offer
    monkeypatch.setattr(turns.Turn, "offer", lambda turn, at_once: (gave.append(at_once), offer(turn, at_once))[1])
    store = prepared(plan, tmp_path / "s")
    with card(monkeypatch):
        results = run(evaluations(plan), store)
    assert [result.outcome for result in results] == ["ok"] * 3, results
    assert numbers(store) == expected
    assert any(gave)


def test_each_has_its_own_log_attempt_and_share_of_the_time(tmp_path, monkeypatch):
    before_judging(monkeypatch, lambda name: print("judged by", name))
    plan = digits()
    store = prepared(plan, tmp_path / "s")
    stages = evaluations(plan)
    began = time.perf_counter()
    run(stages, store)
    passed = time.perf_counter() - began
    records = {record.key: record for record in store.records()}
    for stage in stages:
        told = records[stage.key].run
        log = (store.root / told["output"]).read_text()
        assert log.count(f"judged by stage {stage.label}\n") == 2
        assert log.count("judged by") == 2
        assert told["together"] == 3
        assert told["seconds"]["evaluate"] <= told["wall_seconds"]
    assert len({record.run["attempt"] for record in records.values()}) == 3
    assert sum(record.run["seconds"]["evaluate"] for record in records.values()) <= passed
    assert "together" not in attempt.notes()


def process():
    """What stages set in a process, as far as it compares."""
    return (
        torch.get_rng_state().numpy().tobytes(),
        np.random.get_state()[1].tobytes(),
        random.getstate(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        sys.stdout,
        warnings.showwarning,
        list(warnings.filters),
    )


def test_one_that_fails_leaves_the_others_and_the_process_alone(tmp_path, monkeypatch, capfd):
    def fail(name):
        if name.endswith("eval1"):
            torch.set_default_dtype(torch.float64)
            raise ValueError("as asked")

    plan = digits()
    store = prepared(plan, tmp_path / "s")
    stages = evaluations(plan)
    before_judging(monkeypatch, fail)
    before = process()
    results = run(stages, store)
    assert [result.outcome for result in results] == ["ok", "failed", "ok"]
    assert results[1].reason == "ValueError: as asked"
    assert "as asked" in results[1].traceback
    assert results[1].changed == ("torch's default dtype: torch.float32 -> torch.float64",)
    assert not results[0].changed and not results[2].changed
    assert set(numbers(store)) == {stages[0].key, stages[2].key}
    assert process() == before
    assert torch.get_default_dtype() == torch.float32
    print("still here")
    assert capfd.readouterr().out == "still here\n"


def test_one_that_is_over_its_limit_ends_wherever_it_is(tmp_path, monkeypatch):
    def hang(name):
        while name.endswith("eval1"):
            time.sleep(0.01)

    monkeypatch.setattr(together, "PATIENCE", 0.1)
    monkeypatch.setattr(together, "TICK", 0.02)
    plan = digits()
    store = prepared(plan, tmp_path / "s")
    before_judging(monkeypatch, hang)
    results = run(evaluations(plan), store, over=lambda i, seconds: "too long" if i == 1 and seconds > 1 else None)
    assert [(result.outcome, result.reason) for result in results] == [("ok", ""), ("timeout", "too long"), ("ok", "")]


def test_an_interrupt_ends_all_and_is_passed_on(tmp_path, monkeypatch):
    def interrupted(i, seconds):
        raise KeyboardInterrupt

    plan = digits(**{"grid.protocol": "cpu-small@1[epochs_by_ipc=[[1000,100000]]]"})
    monkeypatch.setattr(together, "TICK", 0.02)
    store = prepared(plan, tmp_path / "s")
    before = process()
    with pytest.raises(KeyboardInterrupt):
        run(evaluations(plan), store, over=interrupted)
    assert process() == before
    assert not numbers(store)


def test_memory_that_runs_out_is_not_tried_again_beside_others(tmp_path, monkeypatch):
    def full(name):
        if name.endswith("eval2"):
            raise torch.OutOfMemoryError("CUDA out of memory")

    plan = digits()
    store = prepared(plan, tmp_path / "s")
    before_judging(monkeypatch, full)
    results = run(evaluations(plan), store)
    assert [result.outcome for result in results] == ["ok", "ok", "out_of_memory"]
