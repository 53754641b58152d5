"""``bench plan``: parts of a plan, and costs by what a store has measured."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.errors import BenchError
from ddbench.execute.history import History, sort_of
from ddbench.plan.build import make_plan
from ddbench.plan.shards import shard_of, subplan
from ddbench.store.opening import open_store
from ddbench.types import Record
from tests.support.invoke import invoke

METHODS = ["random", "dm", "dit", "dit_ft", "minimax", "rsm", "cgs", "rsm_cgs"]


def plan_of(study="digits", assignments=(), **grid):
    return make_plan(resolve(load_config(str(study), {f"grid.{k}": v for k, v in grid.items()}, assignments)))


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from(METHODS), min_size=1, max_size=8, unique=True),
    st.integers(1, 4),
    st.integers(1, 2),
    st.integers(1, 7),
)
def test_shards_have_every_cell_once_and_about_as_many_each(methods, seeds, eval_seeds, n):
    plan = plan_of(methods=methods, seeds=list(range(seeds)), eval_seeds=list(range(eval_seeds)), ipc=[1])
    parts = [shard_of(plan, f"{i}/{n}") for i in range(1, n + 1)]
    cells = [cell for part in parts for cell in part.cells]
    assert sorted(cells) == sorted(plan.cells)
    sizes = [len(part.cells) for part in parts]
    assert max(sizes) - min(sizes) <= 2 * eval_seeds
    for part in parts:
        assert all(plan.cells[cell] == key for cell, key in part.cells.items())
        assert all(parent in part.stages for stage in part.stages.values() for parent in stage.parents)


def test_a_part_has_the_stages_of_its_cells_and_no_others():
    plan = plan_of(methods=["random", "rsm"], seeds=[0, 1], ipc=[1])
    part = subplan(plan, [cell for cell in plan.cells if cell.method == "random" and cell.seed == 0])
    assert part.counts() | {"distill": 1, "evaluate": 2} == part.counts()
    assert sum(part.counts().values()) == 3
    assert subplan(plan, plan.cells) == plan


def test_shards_keep_distilled_sets_whole_and_fine_tunes_together():
    plan = plan_of(methods=METHODS, ipc=[1, 10])
    parts = [shard_of(plan, f"{i}/3") for i in (1, 2, 3)]
    distilled = [key for part in parts for key, stage in part.stages.items() if stage.kind == "distill"]
    assert len(distilled) == len(set(distilled))
    fits = [part.counts()["fit"] for part in parts]
    assert sum(fits) <= plan.counts()["fit"] + 2, "at most one at each cut is made twice"


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3"])
def test_what_is_no_shard_is_refused_with_an_example(shard):
    with pytest.raises(BenchError, match="Example: --shard 1/4"):
        shard_of(plan_of(methods=["random"]), shard)


def test_run_takes_a_shard(tiny_study, tmp_path):
    counted = 0
    for i in (1, 2):
        options = ["--config", tiny_study, "--store", tmp_path / "s", "--shard", f"{i}/2", "--dry-run", "--json"]
        counted += len(json.loads(invoke("run", *options).stdout)["cells"])
    assert counted == 6


@pytest.fixture
def measured(tiny_study, tmp_path):
    """The tiny plan, and a store that holds its first prior and some evaluations of random."""
    plan = plan_of(tiny_study)
    store = open_store(tmp_path / "s", create=True)
    prior = next(stage for stage in plan.stages.values() if stage.kind == "prior")
    about = {"task": prior.task, "run": {"seconds": 30.0, "peak_memory_mib": 400}}
    store.write("prior", prior.key, lambda folder: (folder / "x").write_bytes(b"x"), about)
    judged = [(cell, key) for cell, key in plan.cells.items() if cell.method == "random"]
    for (cell, key), seconds in zip(judged, (2.0, 4.0), strict=True):
        run = {"seconds": {"distill": 9.0, "evaluate": seconds}, "peak_memory_mib": 100 * seconds}
        config = {"evaluate": plan.stages[key].task}
        store.write_record(Record(key, cell, "ok", curve=((1, 0.5),), config=config, run=run))
    return plan, store


def test_costs_are_medians_over_stages_of_the_same_sort(measured):
    plan, store = measured
    history = History(store)
    history.update()
    kinds = {kind: next(s for s in plan.stages.values() if s.kind == kind) for kind in ("prior", "fit", "evaluate")}
    assert history.cost(kinds["prior"]).seconds == 30.0
    found = history.cost(kinds["evaluate"])
    assert (found.seconds, found.memory_mib, found.stages) == (3.0, 300.0, 2)
    assert history.cost(kinds["fit"]) is None
    history.update()
    assert history.cost(kinds["evaluate"]).stages == 2, "nothing is counted twice"


def test_numbers_leave_the_sort_and_ipc_network_and_kind_of_guidance_do_not():
    def sorts(kind, *assignments, **grid):
        plan = plan_of("digits", assignments, seeds=[0], eval_seeds=[0], **{"ipc": [1], **grid})
        return {sort_of(stage.task) for stage in plan.stages.values() if stage.kind == kind}

    assert sorts("fit", methods=["rsm"]) == sorts("fit", "methods.rsm.objective.weight=0.5", methods=["rsm"])
    assert sorts("fit", methods=["rsm"]) != sorts("fit", methods=["minimax"])
    assert sorts("distill", methods=["dit"]) != sorts("distill", methods=["cgs"])
    assert sorts("distill", methods=["dit"]) != sorts("distill", methods=["dit"], ipc=[10])
    assert sorts("evaluate", methods=["dit"]) == sorts("evaluate", methods=["random"])
    assert sorts("evaluate", methods=["dit"]) != sorts("evaluate", methods=["dit"], archs=["convnet3"])


def test_a_plan_is_written_with_stages_parents_cells_and_costs(measured, tiny_study, tmp_path):
    plan, store = measured
    out = tmp_path / "plans" / "plan.json"
    done = invoke("plan", "--config", tiny_study, "--store", store.root, "--out", out)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    assert {stage["key"]: tuple(stage["parents"]) for stage in document["stages"]} == {
        key: stage.parents for key, stage in plan.stages.items()
    }
    assert {cell["key"] for cell in document["cells"]} == set(plan.cells.values())
    by_kind = {sort["kind"]: sort for sort in document["sorts"]}
    assert (by_kind["prior"]["seconds_each"], by_kind["prior"]["to_run"]) == (30.0, 0)
    assert by_kind["fit"]["seconds_each"] is None
    assert (by_kind["evaluate"]["seconds_each"], by_kind["evaluate"]["to_run"]) == (3.0, 4)
    assert "unknown" in done.stdout
    assert "\n6 cells, 9 stages to run\ntime: at least 0:12 of work" in done.stdout
    assert "as measured in this store; 5 of 9 stages are of unknown cost\n" in done.stdout
    assert json.loads(invoke("plan", "--config", tiny_study, "--store", store.root, "--json").stdout) == document


def test_without_a_store_every_cost_is_unknown_and_none_is_made(tiny_study, tmp_path):
    done = invoke("plan", "--config", tiny_study, "--store", tmp_path / "none", "--shard", "1/2")
    assert done.returncode == 0, done.stderr
    assert (
        "time: unknown: this store has measured no such stage yet, and no rate on a processor is known" in done.stdout
    )
    assert not (tmp_path / "none").exists()
