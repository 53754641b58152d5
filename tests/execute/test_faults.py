"""Whatever goes wrong in a stage is on record with its reason, and all other cells are as if nothing had happened."""

import dataclasses
import json
import random

import pytest

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.execute.inline import Inline
from ddbench.execute.observer import Observer
from ddbench.execute.schedule import run_schedule
from ddbench.plan.build import make_plan
from ddbench.plugins import registry
from ddbench.store.opening import open_store
from tests.support.faults.bench import Toy

pytestmark = pytest.mark.slow

BAD = "toy_hang,toy_stall,toy_memory,toy_exit,toy_raise,toy_few,toy_nan"
LIMITS = ["--set", "timeouts.distill=5", "--set", "stall=1"]
EXPECTED = {
    "toy_hang": ("timeout", "it took longer than the 5 s of timeouts.distill; it had told no progress"),
    "toy_stall": ("timeout", "no progress for the 1 s of stall; it was 25% done"),
    "toy_memory": ("out_of_memory", "MemoryError: no more"),
    "toy_exit": ("failed", "SystemExit: 3"),
    "toy_raise": ("failed", "ValueError: as asked"),
    "toy_few": ("invalid_output", "InvalidOutput: 3 of 3 classes do not have ipc = 2 images; class 'a' has 1"),
    "toy_nan": ("invalid_output", "InvalidOutput: images must be uint8, not torch.float32"),
}
KILLS = "prior=kill fit=kill distill=kill evaluate=kill"


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return Toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def undisturbed(toy):
    code, document, errors = toy.run("undisturbed", "--executor", "inline")
    assert code == 0, errors
    return document


@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_every_fault_has_its_outcome_and_the_same_under_every_executor(toy, undisturbed, executor):
    kills = KILLS if executor == "ray" else ""
    methods = ["--methods", f"toy,{BAD}"]
    code, document, errors = toy.run(executor, "--executor", executor, *methods, *LIMITS, TOY_FAULTS=kills)
    assert code == 1
    assert "Traceback" not in errors
    assert document["cells"] == {"total": 16, "ok": 2, "failed": 14, "cached": 0, "skipped": 0}

    found = {}
    for record in toy.records(executor):
        if record.cell.method == "toy":
            assert record.outcome == "ok"
        else:
            where = f"distill stage toy/{record.cell.method}/ipc2/seed{record.cell.seed}: "
            found.setdefault(record.cell.method, set()).add((record.outcome, record.reason.removeprefix(where)))
    assert found == {method: {expected} for method, expected in EXPECTED.items()}

    # The cells of the method that does nothing wrong are those of a store where nothing did.
    alone, beside = toy.contents("undisturbed"), toy.contents(executor)
    assert alone[0].items() <= beside[0].items()
    assert alone[1].items() <= beside[1].items()
    rows = [row for row in document["table"] if row["method"] == "toy"]
    assert rows == undisturbed["table"]


def test_workers_killed_in_each_kind_of_stage_are_on_record_where_the_stage_succeeded(toy):
    """Of the run with Ray above."""
    store = toy.folder / "ray"
    lost = {}
    for path in [*store.glob("artifacts/*/*/manifest.json"), *store.glob("records/*.ok.*.json")]:
        run = json.loads(path.read_text())["run"]
        if run["earlier"]:
            lost[path.parts[-3] if path.name == "manifest.json" else "evaluate"] = run
    assert set(lost) == {"prior", "fit", "distill", "evaluate"}
    for run in lost.values():
        assert run["number"] == 2
        (earlier,) = run["earlier"]
        assert "the worker was lost" in earlier["why"]
        assert "process" in earlier["where"]
        assert "about to kill" in (store / earlier["output"]).read_text()


@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_what_stages_print_is_in_their_logs_and_nowhere_else(toy, executor):
    store = toy.folder / executor
    by_method = {record.cell.method: record for record in toy.records(executor)}
    assert "judged 6" in (store / by_method["toy"].run["output"]).read_text()
    failed = (store / by_method["toy_raise"].run["output"]).read_text()
    assert failed.startswith(by_method["toy_raise"].run["host"])
    assert "ValueError: as asked" in failed
    assert "Traceback" in failed


def test_a_curve_that_is_no_accuracy_is_no_result(toy):
    code, _, _ = toy.run("nan", "--executor", "inline", "--protocol", "toy-nan@1", "--eval-seeds", "0")
    assert code == 1
    (record,) = toy.records("nan")
    assert (record.outcome, record.curve) == ("invalid_output", ())
    assert "the accuracy nan at epoch 1" in record.reason


def test_memory_of_a_stage_is_measured_whatever_ran_before_in_the_process(toy):
    toy.run("memory", "--executor", "inline", "--methods", "toy_large,toy", "--eval-seeds", "0")
    manifests = [json.loads(p.read_text()) for p in (toy.folder / "memory").glob("artifacts/distill/*/manifest.json")]
    peaks = {m["task"]["method"]["megabytes"]: m["run"]["peak_memory_mib"] for m in manifests}
    assert 250 < peaks[300] - peaks[0] < 400  # toy ran after toy_large


def test_what_no_machine_has_is_refused_at_once_and_on_record(toy):
    asks = ["--set", "resources.evaluate.memory_gib=100000", "--executor", "inline", "--eval-seeds", "0"]
    code, document, _ = toy.run("refused", *asks)
    assert code == 1
    assert {f["kind"] for f in document["failures"]} == {"evaluate"}
    for record in toy.records("refused"):
        assert record.outcome == "failed"
        assert "it takes 100000 GiB of memory, and the most that a machine here has is" in record.reason
    code, document, _ = toy.run("refused", "--executor", "inline", "--eval-seeds", "0")
    assert code == 0
    assert document["stages"]["distill"] == {"run": 0, "cached": 1}


def test_records_are_equal_but_for_how_they_came_about(toy):
    first = next(r for r in toy.records("inline") if r.outcome == "ok")
    second = next(r for r in toy.records("ray") if r.key == first.key)
    assert dataclasses.replace(first, run={}) == dataclasses.replace(second, run={})
    assert first.run["attempt"] != second.run["attempt"]


def test_the_order_of_stages_does_not_matter(toy, monkeypatch):
    monkeypatch.syspath_prepend(str(toy.folder / "plug"))
    registry.entries.cache_clear()
    plan = make_plan(resolve(load_config(str(toy.study), {"grid.seeds": [0, 1, 2]}, [])))
    registry.entries.cache_clear()
    for name, seed in (("planned", None), ("shuffled", 0)):
        stages = list(plan.stages.values())
        if seed is not None:
            random.Random(seed).shuffle(stages)
        store = open_store(toy.folder / name, create=True)
        summary = run_schedule(plan, store, {s.key: s for s in stages}, Inline(store.address), Observer())
        assert summary.cells["ok"] == 6
    assert toy.contents("planned") == toy.contents("shuffled")
