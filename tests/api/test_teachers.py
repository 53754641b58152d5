"""A teacher of labels or of a method: its accuracy, recipe, bytes and seconds on the record and wherever it is read."""

import json

import pytest

from ddbench.api.frames import make_frame
from ddbench.api.stores import Stores
from tests.support.invoke import invoke

RDED = "rded[teacher.network=convnet3-w32,teacher.epochs=1,teacher.sides=[],pool=12,crops=2]"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Random images and RDED's, under hard labels and under those of a teacher."""
    store = tmp_path_factory.mktemp("teachers") / "s"
    options = ("--ipc", 1, "--seeds", "0", "--eval-seeds", 0, "--archs", "convnet3-w32", "--executor", "inline")
    soft = "cpu-small-teacher@1[teacher.epochs=1,epochs_by_ipc=[[1,2]]]"
    for protocol in ("cpu-small@1[epochs_by_ipc=[[1,2]]]", soft):
        done = invoke("run", "--methods", f"random,{RDED}", *options, "--protocol", protocol, "--store", store)
        assert done.returncode == 0, done.stderr
    return store


def records(store):
    found = [json.loads(path.read_text()) for path in (store / "records").glob("*.json")]
    return {(r["cell"]["method"][:4], r["cell"]["protocol"][:11] == "cpu-small-t"): r for r in found}


def test_a_method_with_a_teacher_has_its_recipe_and_accuracy_on_a_record_of_hard_labels_too(store):
    found = records(store)
    run, config = found["rded", False]["run"], found["rded", False]["config"]
    assert config["teacher"]["preparation"]["epochs"] == 1
    assert 0 < run["teacher"]["log"]["train_top1"] <= 1
    assert run["teacher"]["log"]["teacher_bytes"] > 4 * 10_000
    assert "teacher" not in found["rand", False]["run"]


def test_frames_have_accuracy_bytes_and_seconds_of_teacher_and_labels(store):
    stores = Stores([store])
    frame = make_frame("records", stores, stores.wanted, stores.records(stores.wanted))
    soft = frame.protocol.str.startswith("cpu-small-t")
    assert (frame[soft].teacher_top1 > 0).all() and (frame[soft].soft_label_bytes == 2 * 10 * 10 * 2).all()
    assert (frame[soft].teacher_bytes > 0).all() and (frame[soft].seconds_teacher > 0).all()
    hard = frame[~soft].set_index("method")
    assert hard.teacher_bytes.notna().to_dict() == {"random": False, RDED: True}
    assert hard.teacher_train_top1[RDED] > 0 and hard.soft_label_bytes.isna().all()


def test_show_tells_the_accuracy_of_the_teacher(store):
    found = records(store)
    for kind, said in (
        (("rded", False), "on its own train images, augmented"),
        (("rand", True), "on the judged images"),
    ):
        shown = invoke("show", found[kind]["key"][:8], "--store", store)
        (line,) = [one for one in shown.stdout.splitlines() if one.startswith("teacher    top-1")]
        assert said in line
    document = json.loads(invoke("show", found["rand", True]["key"][:8], "--store", store, "--json").stdout)
    assert document["teacher"]["top1"] == found["rand", True]["run"]["log"]["teacher_top1"]
    plain = json.loads(invoke("show", found["rand", False]["key"][:8], "--store", store, "--json").stdout)
    assert plain["teacher"] is None


def test_captions_say_of_a_teacher_whether_the_study_trains_it(store):
    table = invoke("table", "--store", store).stdout
    assert "soft labels of a teacher that the study trains on the whole train split" in table
    assert "pretrained" not in table


def test_a_report_shows_the_labels_side_by_side_and_marks_commands_as_code(store, tmp_path):
    done = invoke("report", store, "--out", tmp_path / "r.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "r.html").read_text()
    assert "Hard and soft labels side by side" in page
    assert "set as PNG (kB)" in page
    captions = [part.partition("</caption>")[0] for part in page.split("<caption>")[1:]]
    assert any("<code>bench info NAME</code>" in one for one in captions)
    assert not any("`" in one for one in captions)
