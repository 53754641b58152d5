"""Stages are deduplicated by what they read; a plan is a pure function of its configuration."""

from pathlib import Path

import pytest

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.plan.build import make_plan
from tests.data.test_data import make_tree


def plan(**changes):
    assignments = changes.pop("assignments", [])
    return make_plan(resolve(load_config("digits", {f"grid.{k}": v for k, v in changes.items()}, assignments)))


def stage_of(plan, method, kind, **where):
    cells = [
        (c, k)
        for c, k in plan.cells.items()
        if c.method == method and all(getattr(c, n) == v for n, v in where.items())
    ]
    return next((s for s in plan.ancestors(cells[0][1]) if s.kind == kind), None)


def test_two_datasets_of_six_methods_count_their_stages_once(tmp_path: Path):
    root = make_tree(tmp_path)
    found = plan(
        datasets=["digits", "imagenette"],
        methods=["random", "dm", "dit", "cgs", "rsm", "rsm_cgs"],
        ipc=[1, 2, 3],
        archs=["convnet3", "convnet4", "resnet18"],
        seeds=[0, 1, 2],
        eval_seeds=[0],
        assignments=[f"data.imagenette.{x}" for x in (f"root={root}", "resolution=32", "variant=any")],
    )
    assert len(found.cells) == 2 * 6 * 3 * 3 * 3
    # A check of the dataset that lies in a folder; a prior a dataset; a fine-tune a dataset and seed, shared by rsm and
    # rsm_cgs; a distilled set a method, ipc and seed.
    sets = 2 * 6 * 3 * 3
    expected = {"data": 1, "prior": 2, "fit": 6, "distill": sets, "evaluate": 324}
    assert {kind: n for kind, n in found.counts().items() if n} == expected


def test_methods_share_a_prior_and_rsm_and_rsm_cgs_a_fine_tune():
    found = plan()
    priors = {stage_of(found, m, "prior").key for m in ("dit", "dit_ft", "minimax", "rsm", "cgs", "rsm_cgs")}
    assert len(priors) == 1
    assert stage_of(found, "rsm", "fit").key == stage_of(found, "rsm_cgs", "fit").key
    assert stage_of(found, "rsm", "fit").key != stage_of(found, "minimax", "fit").key
    assert stage_of(found, "dit", "fit") is None
    assert stage_of(found, "random", "prior") is None


def test_a_shared_stage_splits_when_its_configuration_does():
    found = plan(assignments=["methods.rsm.objective.weight=0.1"])
    assert stage_of(found, "rsm", "fit").key != stage_of(found, "rsm_cgs", "fit").key


def test_the_same_configuration_gives_the_same_keys():
    assert list(plan().stages) == list(plan().stages)


@pytest.mark.parametrize(
    ("assignment", "changed"),
    [
        ("methods.diffusion.prior.layers=3", {"prior", "fit", "distill", "evaluate"}),
        ("methods.diffusion.finetune.steps=5", {"fit", "distill", "evaluate"}),
        ("methods.diffusion.sampler.steps=5", {"distill", "evaluate"}),
        ("threads.evaluate=2", {"evaluate"}),
        ("split=validation", {"evaluate"}),
        ("description=words", set()),
        ("name=other", set()),
    ],
)
def test_a_key_changes_exactly_when_something_it_reads_does(assignment, changed):
    before, after = plan(methods=["rsm"]), plan(methods=["rsm"], assignments=[assignment])
    different = {
        kind
        for kind in ("prior", "fit", "distill", "evaluate")
        if stage_of(before, "rsm", kind).key != stage_of(after, "rsm", kind).key
    }
    assert different == changed


def test_options_of_fine_tuning_do_not_reach_methods_without_it():
    before, after = plan(), plan(assignments=["methods.diffusion.finetune.steps=5"])
    assert stage_of(before, "dit", "distill").key == stage_of(after, "dit", "distill").key


def test_options_for_a_dataset_win_over_those_of_the_method():
    found = plan(
        methods=["rsm"],
        assignments=["per_dataset.digits.rsm.objective.weight=0.25", "methods.rsm.objective.weight=0.5"],
    )
    assert stage_of(found, "rsm", "fit").task["preparation"]["objective"]["weight"] == 0.25


def test_a_grid_of_another_order_has_the_same_stages():
    first = plan(methods=["rsm", "dm"], ipc=[1, 10], seeds=[0, 1])
    second = plan(methods=["dm", "rsm"], ipc=[10, 1], seeds=[1, 0])
    assert set(first.stages) == set(second.stages)
    assert set(first.cells.items()) == set(second.cells.items())


def test_parents_come_before_children():
    seen = set()
    for key, stage in plan().stages.items():
        assert set(stage.parents) <= seen
        seen.add(key)


def test_separable_methods_are_distilled_in_shards_of_classes_when_asked():
    found = plan(methods=["random", "dm", "rsm"], ipc=[1], seeds=[0], assignments=["class_shards=3"])
    assert found.counts()["shard"] == 2 * 3  # not DM, whose classes share their networks
    shards = [s for s in found.stages.values() if s.kind == "shard" and "/rsm/" in s.label]
    assert [s.task["classes"] for s in shards] == [list("0123"), list("4567"), list("89")]
    whole = stage_of(found, "rsm", "distill")
    assert set(whole.parents) == {s.key for s in shards}


def test_seeds_are_one_variant_also_where_each_has_a_preparation_of_its_own():
    found = plan(methods=["herding", "rsm"], ipc=[1, 10], seeds=[0, 1])
    variants = {(cell.method, found.stages[key].task["variant"]) for cell, key in found.cells.items()}
    assert len(variants) == 2
    assert found.counts()["embed"] == 2
    other = plan(methods=["rsm"], ipc=[1], seeds=[0], assignments=["methods.rsm.objective.weight=0.1"])
    assert not {("rsm", stage.task.get("variant")) for stage in other.stages.values()} & variants


def test_a_dataset_may_move_without_changing_a_key(tmp_path):
    plans = [
        plan(
            datasets=["imagenette"],
            methods=["random"],
            ipc=[1],
            assignments=[f"data.imagenette.{x}" for x in (f"root={make_tree(tmp_path / place)}", "variant=any")],
        )
        for place in ("here", "there")
    ]
    assert list(plans[0].stages) == list(plans[1].stages)
    assert [next(iter(p.stages.values())).location["root"] for p in plans] == [
        str(tmp_path / n) for n in ("here", "there")
    ]
    assert str(tmp_path) not in str([s.task for s in plans[0].stages.values()])
