"""``--dry-run`` of every command that plans work: it says what there is to do, and does none of it."""

import json

import pytest

from ddbench.store.opening import open_store
from tests.data.test_external import write
from tests.support.invoke import invoke
from tests.support.store import make_store

LR = "methods.dm.lr=grid(2, 3)"


def files(folder):
    return sorted(path for path in folder.rglob("*"))


def test_of_evaluate_the_sets_are_there_and_are_left_to_be_judged(tmp_path):
    folder, store = write(tmp_path / "mine"), tmp_path / "store"
    done = invoke("evaluate", folder, "--store", store, "--eval-seeds", "0-2", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["stages"]["evaluate"] == {"planned": 3, "to_run": 3}
    assert document["stages"]["distill"]["to_run"] == 0
    assert [cell["eval_seed"] for cell in document["cells"]] == [0, 1, 2]
    assert not store.exists()


def test_of_shift_the_sets_and_the_stages(tmp_path):
    make_store(tmp_path / "store", methods=("random",), ipc=(2,))
    before = files(tmp_path)
    done = invoke("shift", "--store", tmp_path / "store", "--space", "pixels", "--dry-run", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stages"]["shift"]["to_run"] == len(json.loads(done.stdout)["sets"])
    assert files(tmp_path) == before


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_of_tune_the_trials(tiny_study, tmp_path, form):
    arguments = ["tune", "dm", "--config", tiny_study, "--param", LR, "--seeds", "0-1", "--eval-seeds", "0"]
    done = invoke(*arguments, "--store", tmp_path / "s", "--dry-run", *form)
    assert done.returncode == 0, done.stderr
    if form:
        document = json.loads(done.stdout)
        assert [trial["methods.dm.lr"] for trial in document["trials"]][1:] == [2, 3]
        assert document["stages"]["evaluate"] == {"planned": 6, "to_run": 6}
    else:
        assert "(the study's own values)\ntrial 1: lr=2\ntrial 2: lr=3\n\n3 trials, 6 cells, in 2 rounds" in done.stdout
    assert not (tmp_path / "s").exists()


def test_one_is_told_as_one(tiny_study, tmp_path):
    grid = ("--methods", "random", "--seeds", "0", "--eval-seeds", "0")
    done = invoke("run", "--config", tiny_study, "--store", tmp_path / "s", *grid, "--dry-run")
    assert "\n1 cell\n" in done.stdout
    assert "     1 stage, 1 to run" in done.stdout


def test_a_store_beside_the_folder_has_a_plain_path(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    assert open_store("../s", create=True).address == str(tmp_path / "s")
    (tmp_path / "far/away").mkdir(parents=True)
    (tmp_path / "in/link").symlink_to(tmp_path / "far/away")
    assert open_store("link/../s", create=True).root.resolve() == tmp_path / "far/s", "where the link leads"
