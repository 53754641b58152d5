"""``bench evaluate --labels``: sets judged by the soft labels that were stored beside them."""

import json

import pytest

from ddbench.store.opening import open_store
from tests.data.test_external import write
from tests.data.test_stored_labels import published
from tests.support.invoke import invoke
from tests.support.registered import forgotten

PROTOCOL = "fkd@1[epochs_by_ipc=[[1,2]],batch=8,side=16,test_resize=16,evaluate_every=1]"

SOFT_SETS = """
import dataclasses
import torch
from ddbench import register
from ddbench.methods.real import RandomReal

class SoftRandom(RandomReal):
    makes_soft_labels = True

    def distill(self, real, state, ipc, ctx):
        found = super().distill(real, state, ipc, ctx)
        k = len(found.classes)
        return dataclasses.replace(found, soft=torch.full((len(found), k), 1 / k))

register("method", "soft_random")(SoftRandom())
"""


def evaluate(store, *more, protocol=PROTOCOL):
    options = ["--executor", "inline", "--archs", "convnet3-w32", "--eval-seeds", "0", "--protocol", protocol]
    return invoke("evaluate", *more, "--store", store, *options)


@pytest.fixture
def given(tmp_path):
    """Two images of each digit, and labels of two epochs for them."""
    return write(tmp_path / "mine"), published(tmp_path / "labels", images=20, classes=10, epochs=2, batch=8)


def test_a_set_is_judged_by_its_stored_labels_whose_bytes_are_on_the_record(tmp_path, given):
    images, labels = given
    done = evaluate(tmp_path / "store", images, "--labels", labels)
    assert done.returncode == 0, done.stderr
    assert "stored for each view" in done.stdout
    (record,) = open_store(tmp_path / "store", create=False).records()
    assert record.outcome == "ok"
    assert record.run["log"]["soft_label_bytes"] == 2 * 20 * 10 * 2
    cost = invoke("table", "--store", tmp_path / "store", "--layout", "cost", "--format", "json")
    (row,) = json.loads(cost.stdout)
    assert row["label_bytes"] == 800


def test_the_same_set_with_other_labels_is_another_set(tmp_path, given):
    images, labels = given
    other = published(tmp_path / "other", images=20, classes=10, epochs=2, batch=8, seed=1)
    assert evaluate(tmp_path / "store", images, "--labels", labels).returncode == 0
    assert evaluate(tmp_path / "store", images, "--labels", other).returncode == 0
    first, second = open_store(tmp_path / "store", create=False).records()
    assert first.key != second.key
    assert first.curve != second.curve or first.correct != second.correct


@pytest.mark.parametrize(
    ("more", "protocol", "said"),
    [
        ((), PROTOCOL, "none: give them with `bench evaluate SETS --labels FOLDER`"),
        (("--labels", "labels"), "cpu-small@1", "does not train on stored soft labels: leave out --labels"),
        (("--labels", "labels", "--labels", "labels"), PROTOCOL, "there are 1 sets and 2 folders of labels"),
        (("--labels", "labels"), PROTOCOL.replace("2]]", "3]]"), r"add [epochs_by_ipc=[[2,2]]] to its name"),
        (("--labels", "mine"), PROTOCOL, "has no epoch_0"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path, given, more, protocol, said):
    paths = [str(tmp_path / part) if part in ("labels", "mine") else part for part in more]
    done = evaluate(tmp_path / "store", given[0], *paths, protocol=protocol)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "store").exists()


def test_methods_make_no_stored_labels_which_is_said_before_they_run(tmp_path):
    done = invoke("run", "--methods", "random", "--ipc", "1", "--protocol", "fkd@1", "--store", tmp_path / "store")
    assert done.returncode == 2
    assert "bench evaluate SETS --labels FOLDER --protocol fkd@1" in " ".join(done.stderr.split())
    assert not (tmp_path / "store").exists()


def test_methods_whose_sets_carry_no_soft_labels_are_refused_before_they_run(tmp_path):
    for more in ((), ("--dry-run",)):
        asked = ["--methods", "random,full", "--ipc", "1", "--protocol", "cpu-small-soft@1"]
        done = invoke("run", *asked, "--store", tmp_path / "store", *more)
        said = " ".join(done.stderr.split())
        assert done.returncode == 2
        assert "cpu-small-soft@1 trains on the soft labels of the sets, and random, full make none" in said
        assert "--protocol cpu-small@1" in said
        assert not (tmp_path / "store").exists()


def test_a_method_that_makes_soft_labels_is_judged_by_them(tmp_path):
    plugin = tmp_path / "soft_sets.py"
    plugin.write_text(SOFT_SETS)
    asked = ["--methods", "soft_random", "--ipc", "1", "--seeds", "0", "--eval-seeds", "0", "--archs", "convnet3-w32"]
    protocol = ["--protocol", "cpu-small-soft@1[epochs_by_ipc=[[1,1]]]"]
    with forgotten(["soft_sets"]):
        done = invoke(
            "run", "--plugin", plugin, *asked, *protocol, "--store", tmp_path / "store", "--executor", "inline"
        )
    assert done.returncode == 0, done.stderr
    (record,) = open_store(tmp_path / "store", create=False).records()
    assert record.run["log"]["soft_label_bytes"] == 10 * 10 * 4


def test_labels_are_stored_for_a_set_and_judge_it_and_random_images_are_a_row_of_their_own(tmp_path, given):
    images, store, out = given[0], tmp_path / "store", tmp_path / "made"
    teacher = "cpu-small-teacher@1[teacher.epochs=1]"
    asked = [images, "--protocol", PROTOCOL, "--teacher", teacher, "--store", store]
    done = invoke("labels", *asked, "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"--labels {out}" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == ["epoch_0", "epoch_1"]
    assert len(list((store / "artifacts/teacher").iterdir())) == 1
    done = evaluate(store, images, "--labels", out, "--method", "random_labelled")
    assert done.returncode == 0, done.stderr
    (record,) = open_store(store, create=False).records()
    assert (record.outcome, record.cell.method) == ("ok", "random_labelled")
    again = invoke("labels", *asked, "--out", tmp_path / "again")
    assert again.returncode == 0
    assert "teacher" not in again.stderr.partition("storing")[0]  # it is there
    first, second = (root / "epoch_1" / "batch_0.tar" for root in (out, tmp_path / "again"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--teacher", "cpu-small@1"), "cpu-small@1 has no teacher"),
        (("--teacher", "rded@1", "--protocol", "cpu-small@1"), "does not train on stored soft labels"),
        (("--teacher", "rded@1"), "reach the teacher, resnet18-modified"),
        (("--teacher", "cpu-small-teacher@1", "--out", "."), "is there: name another folder"),
    ],
)
def test_labels_that_cannot_be_stored_are_refused_before_anything_is_written(tmp_path, given, more, said):
    done = invoke("labels", given[0], "--store", tmp_path / "store", "--out", tmp_path / "made", *more)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "made").exists()
    assert not (tmp_path / "store").exists()
