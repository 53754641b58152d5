"""What a method declares that it needs, and what becomes of cells that lack it."""

import pytest

from benchmark import registry
from benchmark.config import load_config
from benchmark.plan import make_plan
from benchmark.store import Store
from benchmark.study import resolve
from benchmark.types import Needs
from tests.invoke import invoke
from tests.test_plugins import METHOD, QUICK, plugin  # noqa: F401  (a fixture)

PICKY = METHOD.replace(
    "    def distill",
    """    def needs(self):
        from benchmark.types import Needs

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
    ],
)
def test_what_a_cell_lacks_is_said(needs, reason):
    found = needs.unmet((1, 8, 8), 1, "cpu")
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
    records = {record.cell.method: record for record in Store.open(store, create=False).records()}
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


def test_knowledge_from_outside_is_declared():
    dit = registry.load("method", "dit")
    assert dit.needs().knowledge == ""
    from methods.diffusion.pretrained import PretrainedDiT

    assert "ImageNet-1K" in type(dit)(prior=PretrainedDiT()).needs().knowledge
