"""``bench tune`` on Ray Tune, from the command line to the picture."""

import json
from collections import Counter

import pytest

from ddbench.store.opening import open_store
from ddbench.tune.trial import Ending
from ddbench.types import Record
from tests.support.invoke import invoke, own_process

LR = "methods.dm.lr"
# A trial takes all processors there are, so that the order of trials is fixed.
ONE_AT_A_TIME = ["--set", "resources.evaluate={cpus: 1000}"]


def tune(study, store, *arguments, executor="inline"):
    return invoke("tune", "dm", "--config", study, "--store", store, "--executor", executor, *arguments)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_asha_stops_a_bad_trial_early_and_it_is_on_record(tiny_study, tmp_path):
    asked = ["--param", f"{LR}=grid(1e6, 0.5)", "--seeds", "0-2", "--scheduler", "asha", *ONE_AT_A_TIME]
    (tmp_path / "home").touch()  # a home that cannot be written, and another job's cluster
    batch = {"HOME": str(tmp_path / "home"), "RAY_ADDRESS": "127.0.0.1:1"}
    done = own_process("tune", "dm", "--config", tiny_study, "--store", tmp_path / "s", *asked, "--json", **batch)
    assert done.returncode == 0, done.stderr
    assert "starting Ray on" in done.stderr
    document = json.loads(done.stdout)
    own, bad, _ = document["trials"]
    assert (own["outcome"], own["rounds"]) == ("ok", 3)
    assert (bad["outcome"], bad["rounds"]) == ("stopped", 1)
    assert bad["reason"] == "stopped by the scheduler after 1 of 3 rounds"
    assert document["chosen"]["trial"] != 1
    assert "trial 1 of 0-2, round 1 of 3" in done.stderr
    store = open_store(tmp_path / "s", create=False)
    assert not store.runs(), "a search is no part of the table"
    assert len(store.records()) == sum(trial["rounds"] for trial in document["trials"])


def test_a_search_in_which_every_trial_fails_is_told_kept_and_exit_code_one(tiny_study, tmp_path):
    keys = ["--set", "methods.dm.augmentations=rotat", "--param", f"{LR}=grid(0.5)", "--seeds", "0"]
    done = tune(tiny_study, tmp_path / "s", *keys)
    assert done.returncode == 1
    assert "| failed: distill digits/dm/ipc1/seed0: ValueError: unknown augmentation 'rotat'" in done.stdout
    assert "every trial failed" in done.stderr
    assert len(list((tmp_path / "s" / "tunes").glob("*.json"))) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing option '--param'"),
        (["--param", "methods.dm.lrr=grid(1)"], "Did you mean 'lr'?"),
        (["--param", f"{LR}=gird(1)"], "Did you mean 'grid'?"),
        (["--param", f"{LR}=grid(1)", "--param", f"{LR}=grid(2)"], "is given twice"),
        (["--param", f"{LR}=grid(1, 2)", "--set", "split=test"], "never on test"),
        (["--param", f"{LR}=grid(1, 2)", "--scheduler", "asha"], "use --executor ray, or --scheduler fifo"),
        (["--param", f"{LR}=grid(1, 2)", "--ray-address", "auto"], "leave out --ray-address"),
    ],
)
def test_bad_input_is_one_message_and_writes_nothing(tiny_study, tmp_path, arguments, message):
    done = tune(tiny_study, tmp_path / "s", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "s").exists()


def test_it_ends_with_the_commands_that_take_the_choice(tiny_study, tmp_path):
    done = tune(tiny_study, tmp_path / "s", "--param", f"{LR}=grid(1e6)", "--seeds", "0", "--set", "class_shards=1")
    assert done.returncode == 0, done.stderr
    command = f"bench run --config {tiny_study} --methods dm --set class_shards=1"
    assert done.stdout.splitlines()[-1] == f"{command} --set {LR}=1.0"
    found = next((tmp_path / "s" / "tunes").glob("*.json")).stem
    assert f"{command} --tuned {found}" in done.stderr
    assert "| 0 | 1.0 | " in done.stdout.splitlines()[2]
    assert "(the study's own values)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["--executor", "ray"], None),
        (["--ray-address", "host:1"], "host:1"),
        (["--scheduler", "median"], None),
        ([], "this process"),
        (["--executor", "inline"], "this process"),
    ],
)
def test_trials_go_to_ray_where_that_is_asked_for_or_needed(tiny_study, tmp_path, monkeypatch, arguments, where):
    asked = []

    def runner(place):
        asked.append(place)
        return lambda trials, store, on_round: [Ending(0, "not run")] * len(trials)

    monkeypatch.setattr("ddbench.api.tune.OnTune", lambda *options: runner(options[-1]))
    monkeypatch.setattr("ddbench.api.tune.InOrder", lambda policy: runner("this process"))
    search = ["--param", f"{LR}=grid(1e6)", "--seeds", "0", "--eval-seeds", "0", *arguments]
    assert tune(tiny_study, tmp_path / "s", *search, executor="auto").returncode == 1
    assert asked == [where]


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_watchers_are_told_of_every_record_once_and_of_the_end(tiny_study, tmp_path, executor):
    keys = ["--param", "methods.dm.augmentations=grid(rotat, color)", "--seeds", "0-1", "--debug"]
    keys += ["--executor", executor, "--watcher", f"jsonl[path={tmp_path}/events.jsonl]"]
    done = own_process("tune", "dm", "--config", tiny_study, "--store", tmp_path / "s", *keys)
    assert done.returncode == 0, done.stderr
    assert "trial 1: Traceback (most recent call last)" in done.stderr
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["begin", "end"]
    told = [Record.from_json(event["record"]) for event in events if event["event"] == "record"]
    records = open_store(tmp_path / "s", create=False).records()
    assert sorted(record.key for record in told) == sorted(record.key for record in records)
    assert Counter(record.outcome for record in records) == {"ok": 4, "failed": 1}
    # The second round of the failed trial is not begun.
    assert events[-1]["summary"]["cells"] == {"total": 6, "cached": 0, "skipped": 0, "ok": 4, "failed": 1}


def test_an_unknown_watcher_is_refused_before_the_search(tiny_study, tmp_path):
    done = tune(tiny_study, tmp_path / "s", "--param", f"{LR}=grid(0.5, 2)", "--watcher", "jsonll")
    assert done.returncode == 2
    assert "jsonl" in done.stderr
    assert not (tmp_path / "s").exists()
