"""The images are checked before anything is made from them, and what is made does not depend on the test images."""

import shutil

import pytest

from ddbench.api.captions import facts_of
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.data.layout import forget
from ddbench.errors import BenchError
from ddbench.execute.inline import Inline
from ddbench.plan.build import make_plan
from ddbench.plan.shards import shard_of
from ddbench.store.opening import open_store
from tests.data.test_data import make_tree
from tests.support.folders import birds, write_images
from tests.support.pretend import Pretend, Quiet, run_missing

JUDGED = "cpu-small@1[epochs_by_ipc=[[1000, 1]],evaluations=1]"
WITH_PRIOR = ("random", "rsm")


def plan(root, *assignments, methods=("random",), dataset="imagefolder"):
    forget()
    grid = {"datasets": [dataset], "methods": [*methods], "ipc": [1], "seeds": [0], "eval_seeds": [0]}
    grid |= {"protocol": JUDGED, "archs": ["convnet3-w32"]}
    changes = {f"grid.{key}": value for key, value in grid.items()}
    where = [f"data.{dataset}.{option}" for option in (f"root={root}", "resolution=8", *assignments)]
    return make_plan(resolve(load_config("digits", changes, where)))


def keys(plan):
    found = {}
    for key, stage in plan.stages.items():
        found.setdefault(stage.kind, set()).add(key)
    return found


def changed(before, after):
    return {kind for kind in before if before[kind] != after[kind]}


def test_it_comes_first_and_is_in_no_other_key(tmp_path):
    made = plan(birds(tmp_path), methods=WITH_PRIOR)
    first, *others = made.stages.values()
    assert (first.kind, first.label, first.task["device"], first.threads) == ("data", "imagefolder", "cpu", 1)
    assert {stage.after for stage in others} == {(first.key,)}
    assert not any(first.key in str(stage.task) for stage in others)


def test_a_dataset_that_comes_with_the_installation_has_none():
    assert plan_of_digits().counts()["data"] == 0


def plan_of_digits():
    return make_plan(resolve(load_config("digits", {}, [])))


def test_a_mended_test_image_changes_the_check_and_the_evaluations_alone(tmp_path):
    root = birds(tmp_path)
    before = keys(plan(root, methods=WITH_PRIOR))
    with (root / "val/jay/0.png").open("ab") as file:
        file.write(b"more")
    assert changed(before, keys(plan(root, methods=WITH_PRIOR))) == {"data", "evaluate"}
    write_images(root, ["train/jay/more.png"])
    assert changed(before, keys(plan(root, methods=WITH_PRIOR))) == {"data", "prior", "fit", "distill", "evaluate"}


def test_another_variant_changes_the_evaluations_alone(tmp_path):
    root = make_tree(tmp_path, per_class=50)
    made = [keys(plan(root, f"variant={v}", methods=WITH_PRIOR, dataset="imagenette")) for v in ("any", "ilsvrc")]
    assert changed(*made) == {"evaluate"}


def test_a_folder_of_another_variant_is_refused_when_the_study_is_planned(tmp_path):
    with pytest.raises(BenchError, match=r"holds 30 test images, the fastai split has 3925.*variant=any"):
        plan(make_tree(tmp_path), dataset="imagenette")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("allow", {"data", "evaluate"}), ("drop", {"data", "prior", "fit", "distill", "evaluate"})],
)
def test_the_choice_of_duplicates_is_in_the_keys_of_what_it_changes(tmp_path, choice, expected):
    root = birds(tmp_path)
    before = keys(plan(root, methods=WITH_PRIOR))
    assert keys(plan(root, "duplicates=refuse", methods=WITH_PRIOR)) == before
    assert changed(before, keys(plan(root, f"duplicates={choice}", methods=WITH_PRIOR))) == expected


def test_a_part_of_a_plan_has_the_check_too(tmp_path):
    made = plan(birds(tmp_path), methods=WITH_PRIOR)
    for part in ("1/2", "2/2"):
        assert shard_of(made, part).counts()["data"] == 1


def test_nothing_starts_before_it_ends_and_it_runs_once(tmp_path):
    made = plan(birds(tmp_path / "data"), methods=WITH_PRIOR)
    store = open_store(tmp_path / "store", create=True)
    backend = Pretend(store, slots=4)
    run_missing(made, store, backend, Quiet())
    assert [stage.kind for stage in backend.order][:2] == ["data", "prior"]
    with (tmp_path / "data/val/jay/0.png").open("ab") as file:
        file.write(b"more")
    again = Pretend(store)
    run_missing(plan(tmp_path / "data", methods=WITH_PRIOR), store, again, Quiet())
    assert [stage.kind for stage in again.order] == ["data", "evaluate", "evaluate"]


def run(made, store):
    return run_missing(made, store, Inline(str(store.root)), Quiet())


def test_broken_test_images_fail_every_cell_before_anything_is_made(tmp_path):
    root, store = birds(tmp_path / "data"), open_store(tmp_path / "store", create=True)
    whole = {path: path.read_bytes() for path in (root / "val/jay/0.png", root / "val/owl/1.png")}
    for path, content in whole.items():
        path.write_bytes(content[:60])
    summary = run(plan(root, methods=WITH_PRIOR), store)
    assert [stage.kind for stage, _ in summary.failures] == ["data"]
    assert {kind for kind, _ in store.artifacts()} == set()
    for record in store.records():
        assert "2 of 4 image files in" in record.reason
        assert all(str(path) in record.reason for path in whole)
    for path, content in whole.items():
        path.write_bytes(content)
    summary = run(plan(root), store)
    assert (summary.cells["ok"], summary.failures) == (1, [])
    (record,) = [record for record in store.records() if record.outcome == "ok"]
    assert record.run["data"] == {"train": 6, "test": 4, "test images that are train images too": 0}


def test_records_and_captions_tell_of_duplicates_that_were_allowed(tmp_path):
    root, store = birds(tmp_path / "data"), open_store(tmp_path / "store", create=True)
    shutil.copy(root / "val/jay/0.png", root / "train/owl/copy.png")
    refused = run(plan(root), store)
    assert "is also the train image" in refused.failures[0][1]
    run(plan(root, "duplicates=allow"), store)
    (record,) = [record for record in store.records() if record.outcome == "ok"]
    assert record.config["evaluate"]["judged"]["duplicates"] == "allow"
    told = facts_of([record]).place(record.cell.split, record.cell.protocol)
    assert told.endswith("(hard labels; 1 test images that are train images too).")
