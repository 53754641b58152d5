"""What a method declares that it needs, and what becomes of cells that lack it."""

import pytest

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.plan.build import make_plan
from ddbench.plugins import registry
from ddbench.stages.run import run_stage
from ddbench.store.opening import open_store
from ddbench.types import Needs
from tests.plugins.test_plugins import METHOD, QUICK, plugin  # noqa: F401  (a fixture
from tests.support.invoke import invoke

PICKY = METHOD.replace(
    "    def distill",
    """    def needs(self):
        from ddbench.types import Needs

        return Needs(ipc=(2, None))

    def distill""",
)


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        (Needs(), ""),
        (Needs(ipc=(2, 10)), "an ipc of 2 to 10"),
        (Needs(ipc=(2, None)), "an ipc of 2 or more"),
        (Needs(ipc=(1, 1)), ""),
        (Needs(channels=(3,)), "images of 3 channels, these have 1"),
        (Needs(gpu=True), "needs a GPU"),
        (Needs(memory_gib=8), ""),
        (Needs(memory_gib=8.5), "needs 8.5 GiB of memory, and resources.distill.memory_gib is 8"),
    ],
)
def test_what_a_cell_lacks_is_said(needs, reason):
    found = needs.unmet((1, 8, 8), 1, "cpu", 8)
    assert reason in found
    assert bool(found) == bool(reason)


def test_a_cell_that_cannot_be_is_planned_as_skipped_and_nothing_is_made_for_it(plugin):  # noqa: F811
    path = plugin("picky_plan", PICKY)
    changes = {"plugins": [str(path)], "grid.methods": ["first_images"], "grid.ipc": [1, 2], "grid.seeds": [0]}
    plan = make_plan(resolve(load_config("digits", {**changes, "grid.eval_seeds": [0]}, [])))
    assert [plan.stages[key].task.get("skipped") for key in plan.cells.values()] == [
        "the method needs an ipc of 2 or more",
        None,
    ]
    assert plan.counts()["distill"] == 1


def test_a_skipped_cell_is_on_record_with_its_reason_and_no_failure(tmp_path, plugin):  # noqa: F811
    path, store = plugin("picky_run", PICKY), tmp_path / "store"
    arguments = ["run", "--plugin", path, "--methods", "random,first_images", *QUICK, "--store", store]
    done = invoke(*arguments, "--executor", "inline")
    assert done.returncode == 0, done.stderr
    records = {record.cell.method: record for record in open_store(store, create=False).records()}
    assert records["random"].outcome == "ok"
    assert (records["first_images"].outcome, records["first_images"].reason) == (
        "skipped",
        "the method needs an ipc of 2 or more",
    )
    assert "(1 skipped of 1)" in done.stdout
    assert "1 skipped" in done.stderr
    again = invoke(*arguments, "--executor", "inline")
    assert len(list((store / "records").glob("*.json"))) == 2
    assert again.stdout == done.stdout


HUNGRY = PICKY.replace("ipc=(2, None)", "memory_gib=100000")


def test_a_method_that_wants_more_memory_than_it_is_given_is_skipped(plugin):  # noqa: F811
    path = plugin("hungry_plan", HUNGRY)
    changes = {"plugins": [str(path)], "grid.methods": ["first_images", "random"], "grid.ipc": [1]}
    plan = make_plan(resolve(load_config("digits", changes, ["resources.distill.memory_gib=4"])))
    reasons = {cell.method: plan.stages[key].task.get("skipped") for cell, key in plan.cells.items()}
    assert reasons["random"] is None
    assert reasons["first_images"] == "the method needs 100000 GiB of memory, and resources.distill.memory_gib is 4"


def test_what_a_method_declares_is_asked_of_the_machine(plugin, tmp_path):  # noqa: F811
    path, store = plugin("hungry_run", HUNGRY), tmp_path / "store"
    arguments = ["run", "--plugin", path, "--methods", "random,first_images", *QUICK, "--store", store]
    assert invoke(*arguments, "--executor", "inline").returncode == 1
    records = {record.cell.method: record for record in open_store(store, create=False).records()}
    assert records["random"].outcome == "ok"
    assert records["first_images"].outcome == "failed"
    assert "it takes 100000 GiB of memory" in records["first_images"].reason


def test_a_gpu_that_is_too_small_is_said_before_any_work(monkeypatch, tmp_path, plugin):  # noqa: F811
    import types

    import torch

    path = plugin("hungry_gpu", HUNGRY)
    changes = {"plugins": [str(path)], "grid.methods": ["first_images"], "grid.ipc": [1], "device": "cuda"}
    plan = make_plan(resolve(load_config("digits", changes, [])))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: types.SimpleNamespace(total_memory=80 * 2**30))
    stage = next(stage for stage in plan.stages.values() if stage.kind == "distill")
    result = run_stage(stage, str(open_store(tmp_path / "store", create=True).root))
    assert result.outcome == "out_of_memory"
    assert "declares 100000 GiB of GPU memory, this GPU has 80" in result.reason


def test_what_a_method_declares_to_know_from_outside_stands_under_the_table(plugin, tmp_path):  # noqa: F811
    path = plugin("well_read", PICKY.replace("ipc=(2, None)", "knowledge='a dictionary'"))
    arguments = ["run", "--plugin", path, "--methods", "random,first_images", *QUICK, "--executor", "inline"]
    done = invoke(*arguments, "--store", tmp_path / "store")
    assert "External knowledge of methods: first_images: a dictionary." in done.stdout


def test_knowledge_from_outside_is_declared():
    dit = registry.load("method", "dit")
    assert dit.needs().knowledge == ""
    from ddbench.methods.diffusion.priors.pretrained import PretrainedDiT

    assert "ImageNet-1K" in type(dit)(prior=PretrainedDiT()).needs().knowledge
