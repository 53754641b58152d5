"""A protocol judges images decoded through its view where the dataset has files, and the record says so."""

import pytest

from ddbench.api.captions import facts_of
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.errors import BenchError
from ddbench.evaluators import classifier
from ddbench.plan.build import make_plan
from ddbench.stages.run import run_stage
from ddbench.store.opening import open_store
from tests.data.test_data import make_tree

DECODED = "cpu-small@1[side=12,test_resize=14,test_images=decoded,shift=0.0,epochs_by_ipc=[[1000, 1]],evaluations=1]"


def plan(dataset, protocol, *assignments):
    grid = {"datasets": [dataset], "methods": ["random"], "ipc": [1], "seeds": [0], "eval_seeds": [0]}
    return make_plan(
        resolve(
            load_config("digits", {f"grid.{k}": v for k, v in grid.items()} | {"grid.protocol": protocol}, assignments)
        )
    )


def nette(tmp_path, **options):
    root = tmp_path / "data"
    if not root.exists():
        make_tree(root)
    given = {"root": root, "resolution": 8, "variant": "any", **options}
    return [f"data.imagenette.{name}={value}" for name, value in given.items()]


def judged(plan):
    return next(stage for stage in plan.stages.values() if stage.kind == "evaluate").task["judged"]


@pytest.mark.parametrize("dataset", ["imagenette", "digits"])
def test_the_record_and_the_caption_tell_whether_files_were_decoded(dataset, tmp_path, monkeypatch):
    seen, original = [], classifier.make_view
    monkeypatch.setattr(
        classifier, "make_view", lambda *a, decoded: seen.append(decoded) or original(*a, decoded=decoded)
    )
    made = plan(dataset, DECODED, *(nette(tmp_path) if dataset == "imagenette" else ()))
    store = open_store(tmp_path / "store", create=True)
    for stage in made.stages.values():
        result = run_stage(stage, str(store.root))
        assert result.outcome == "ok", result.traceback
    (record,) = store.records()
    files = dataset == "imagenette"
    view = {"shorter": 14, "side": 12, "filter": "bilinear"}
    assert seen == [files]
    assert record.config["evaluate"]["judged"].get("view") == (view if files else None)
    text = "test images decoded to 14 px bilinear, centre 12 px" if files else "test images as the dataset gives them"
    assert facts_of([record]).place(record.cell.split, record.cell.protocol).endswith(f"(hard labels; {text}).")


def test_the_view_is_part_of_the_key_of_the_evaluate_stage_alone(tmp_path):
    keys = []
    for protocol in (
        DECODED,
        DECODED.replace("test_resize=14", "test_resize=13"),
        DECODED.replace("decoded", "stored"),
    ):
        made = plan("imagenette", protocol, *nette(tmp_path))
        keys.append({stage.kind: stage.key for stage in made.stages.values()})
    assert len({found["evaluate"] for found in keys}) == 3
    assert len({found["distill"] for found in keys}) == 1
    assert "view" not in judged(plan("imagenette", DECODED.replace("decoded", "stored"), *nette(tmp_path)))


def test_a_crop_that_does_not_fit_is_one_error_before_anything_runs(tmp_path):
    with pytest.raises(BenchError, match="test_resize is 9: a crop of side 12 does not fit into it"):
        plan("digits", DECODED.replace("test_resize=14", "test_resize=9"))
