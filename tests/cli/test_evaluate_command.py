"""``bench evaluate``: images made by anyone stand in the same table as those of methods."""

import json

import pytest
import torch
from PIL import Image, ImageOps

from ddbench.data.digits import Digits
from ddbench.data.imagenet_subsets import NETTE as NAMES
from ddbench.results.export import export_set
from ddbench.store.opening import open_store
from ddbench.types import LabeledImages
from tests.data.test_data import make_tree
from tests.data.test_external import hugging_face, write
from tests.data.test_external_tensors import levels, results
from tests.results.test_export import FACTS
from tests.support.invoke import invoke

PROTOCOL = "cpu-small@1[epochs_by_ipc=[[1000, 2]],evaluations=2]"
"""quick: what is tested is the way of the images, not their worth"""


def evaluate(folder, store, *more):
    return invoke(
        "evaluate", folder, "--store", store, "--executor", "inline", "--protocol", PROTOCOL, "--eval-seeds", "0", *more
    )


def run(store, *more):
    arguments = ["--ipc", "2", "--seeds", "0", "--eval-seeds", "0", "--protocol", PROTOCOL, "--executor", "inline"]
    return invoke("run", "--methods", "random", *arguments, "--store", store, *more)


def test_folders_of_plain_pillow_and_of_datasets_land_in_the_table_of_a_method(tmp_path):
    store = tmp_path / "store"
    assert run(store).returncode == 0
    pillow = write(tmp_path / "pillow")
    hugging_face([str(d) for d in range(10)]).save_to_disk(str(tmp_path / "hf"))
    done = evaluate(pillow, store)
    assert done.returncode == 0
    assert "1 stage to run: 1 evaluate\n" in done.stderr, "the set is there, and only has to be copied"
    assert "[1/1] evaluate" in done.stderr
    assert evaluate(tmp_path / "hf", store, "--method", "from datasets").returncode == 0
    table = invoke("table", "--store", store, "--format", "json")
    found = {row["method"]: row for row in json.loads(table.stdout)}
    assert set(found) == {"random", "pillow", "from datasets"}
    assert (
        len({(row["dataset"], row["split"], row["arch"], row["ipc"], row["protocol"]) for row in found.values()}) == 1
    )
    # The two folders hold the same images, in another order of classes and with other class ids.
    assert found["pillow"]["top1_mean"] == found["from datasets"]["top1_mean"]
    assert len(invoke("table", "--store", store).stdout.split("|---|")) == 2


def test_an_exported_set_scores_in_every_form_as_the_method_that_made_it(tmp_path):
    store, forms = tmp_path / "store", ("imagefolder", "parquet", "pt")
    assert run(store).returncode == 0
    for form in forms:
        assert invoke("export", "--store", store, "--out", tmp_path / form, "--form", form).returncode == 0
        done = evaluate(tmp_path / form / "digits/random/ipc2-seed0", store, "--method", form)
        assert done.returncode == 0, done.stderr
    records = {record.cell.method: record for record in open_store(store, create=False).records()}
    for form in forms:
        assert records[form].curve == records["random"].curve
        assert records[form].correct == records["random"].correct


def test_class_folders_in_another_order_score_the_same(tmp_path):
    root, store = make_tree(tmp_path / "data"), tmp_path / "store"
    options = {"root": root, "resolution": 16, "variant": "any"}
    where = ["--config", "imagenette-small", *(f"--set=data.imagenette.{key}={v}" for key, v in options.items())]
    by_wnid = write(tmp_path / "by-wnid", names=list(NAMES), side=16)
    # By the alphabet these names come in another order than the wnids.
    by_name = write(tmp_path / "by-name", names=list(NAMES.values()), side=16)
    for folder in (by_wnid, by_name):
        done = evaluate(folder, store, *where, "--archs", "convnet3-w32")
        assert done.returncode == 0, done.stderr
    first, second = open_store(store, create=False).records()
    assert {first.cell.method, second.cell.method} == {"by-wnid", "by-name"}
    assert first.curve == second.curve


def test_several_folders_are_several_sets_of_one_method(tmp_path):
    first = write(tmp_path / "mine")
    second = write(tmp_path / "other")
    for file in second.rglob("*.png"):
        ImageOps.invert(Image.open(file)).save(file)
    done = evaluate(first, tmp_path / "store", second, "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["table"]
    assert (row["method"], row["ipc"], row["distilled_sets"]) == ("mine", 2, 2)
    assert row["top1_sd"] is not None


def test_the_second_time_nothing_is_trained(tmp_path):
    folder = write(tmp_path / "mine")
    assert evaluate(folder, tmp_path / "store").returncode == 0
    again = json.loads(evaluate(folder, tmp_path / "store", "--json").stdout)
    assert again["cells"]["cached"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--method", "random"], "'random' is a registered method"),
        (["--dataset", "digit"], "digits"),
        (["--protocol", "cpu-small-soft@1"], "this one has none"),
        (["--protocol", "cpu-smal@1"], "cpu-small@1"),
    ],
)
def test_slips_cost_one_line_and_exit_code_2(tmp_path, change, message):
    done = evaluate(write(tmp_path / "mine"), tmp_path / "store", *change)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "store").exists()


def test_judged_images_are_no_distilled_set_unless_that_is_allowed_and_then_tables_say_so(tmp_path):
    judged, store = Digits().load("test"), tmp_path / "store"
    chosen = torch.cat([(judged.labels == k).nonzero()[:2, 0] for k in range(10)])
    export_set(tmp_path / "copied", LabeledImages(judged.images[chosen], judged.labels[chosen], judged.classes), FACTS)
    assert run(store).returncode == 0
    refused = evaluate(tmp_path / "copied", store)
    assert refused.returncode == 1
    assert "20 of its 20 images are images of the judged test split (20 equal, 0 nearly equal)" in refused.stderr
    assert "(1 failed of 1)" in refused.stdout
    (failed,) = [r for r in open_store(store, create=False).records() if r.cell.method == "copied"]
    counts = {"images": 20, "equal": 20, "near": 0, "in_both": 0, "repeated": 0}

    def told(record):
        return {name: record.run["copies"][name] for name in counts}

    assert failed.outcome == "failed"
    assert told(failed) == counts
    allowed = evaluate(tmp_path / "copied", store, "--allow-test-copies", "--json")
    assert allowed.returncode == 0, allowed.stderr
    table = invoke("table", "--store", store).stdout
    assert "Copies of judged images, judged all the same: copied (20 of 20 images)." in table
    records = {r.cell.method: r for r in open_store(store, create=False).records() if r.outcome == "ok"}
    assert told(records["copied"]) == counts
    assert records["copied"].config["evaluate"]["allow_test_copies"] is True
    assert told(records["random"]) == {**counts, "equal": 0}
    assert "allow_test_copies" not in records["random"].config["evaluate"]
    shown = invoke("show", records["copied"].key, "--store", store).stdout
    assert "of 20 images 20 equal a judged image, 0 nearly" in shown
    shift = invoke("shift", "--store", store, "--space", "pixels", "--format", "json", "--executor", "inline")
    found = {row["method"]: (row["judged"], row["equal"]) for row in json.loads(shift.stdout)}
    assert found == {"(real draw)": (None, None), "random": (0, 0), "copied": (1, 20)}


def test_each_experiment_of_a_file_of_tensors_is_a_set_and_mean_and_sd_are_in_the_record(tmp_path):
    path = results(tmp_path / "res_DM_digits_ConvNet_2ipc.pt", [levels(0), levels(1)])
    options = ["--mean", "0.25", "--sd", "0.5", "--class-order", "dataset", "--method", "theirs", "--json"]
    done = evaluate(path, tmp_path / "store", *options)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["table"]
    assert (row["method"], row["ipc"], row["distilled_sets"]) == ("theirs", 2, 2)
    store = open_store(tmp_path / "store", create=False)
    method = store.records()[0].config["distill"]["method"]
    assert (method["mean"], method["sd"], method["resized"]) == ([0.25], [0.5], False)
    key = store.records()[0].config["evaluate"]["parents"][0]
    assert store.manifest("distill", key)["log"] == {"clipped": 0.0}
    wrong = evaluate(path, tmp_path / "other", "--mean", "zca", "--sd", "1")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "ZCA-whitened images are no pixels" in wrong.stderr


def test_sets_of_two_ipcs_are_not_averaged(tmp_path):
    one, two = write(tmp_path / "one", ipc=1), write(tmp_path / "two", ipc=2)
    done = evaluate(one, tmp_path / "store", two)
    assert done.returncode == 2
    assert "has IPC 1" in done.stderr and "has IPC 2" in done.stderr
