"""``import ddbench``: the same as the command, light to import, and with the same messages."""

import re
import subprocess
import sys

import numpy as np
import pytest

import ddbench
from ddbench.errors import BenchError
from tests.support.invoke import invoke
from tests.support.light import loaded_by
from tests.support.records import cell, hexkey, judged, record, stored
from tests.support.registered import forgotten
from tests.support.store import make_store


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished study of three methods whose sets exist, and one cell that failed."""
    root = tmp_path_factory.mktemp("door") / "store"
    make_store(
        root,
        outcome=lambda c: "failed" if (c.method, c.ipc, c.seed, c.eval_seed) == ("dm", 2, 1, 0) else "ok",
        reason="it broke",
    )
    return root


@pytest.fixture
def results(made):
    return ddbench.load(made)


def test_it_imports_nothing_heavy():
    assert loaded_by("import ddbench; dir(ddbench)") == []


def test_every_name_of_the_door_is_there_and_no_other():
    for name in ddbench.__all__:
        assert getattr(ddbench, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'rum'"):
        _ = ddbench.rum


def test_a_study_runs_and_again_from_the_store(tmp_path):
    study = ddbench.study("digits", methods=["random"], ipc=[1], seeds=[0], eval_seeds=[0])
    first = ddbench.run(study, tmp_path / "s", executor="inline")
    again = ddbench.run(study, tmp_path / "s", executor="inline")
    assert first.failures == []
    assert first.records == again.records
    assert 0.6 < first.records[0].last < 0.8
    assert str(again.table()) == invoke("table", "--store", tmp_path / "s").stdout.rstrip("\n")


def test_a_study_takes_the_grid_options_and_variants_of_the_command():
    study = ddbench.study(
        "digits",
        methods=["rsm", "rsm[ weight = 0.01 ]"],
        ipc=[1],
        archs=["convnet3-w32"],
        set={"methods.rsm.objective.weight": 0.5},
    )
    assert study.config.grid.methods == ("rsm", "rsm[weight=0.01]")
    assert study.methods["digits", "rsm"].objective.weight == 0.5
    assert study.methods["digits", "rsm[weight=0.01]"].objective.weight == 0.01


@pytest.mark.parametrize(
    ("call", "command"),
    [
        (lambda: ddbench.study("digitz"), ["run", "--config", "digitz"]),
        (lambda: ddbench.study(methods=["rmd"]), ["run", "--methods", "rmd"]),
        (lambda: ddbench.study(ipc=[1000]), ["run", "--ipc", "1000"]),
        (lambda: ddbench.load("no-store-here"), ["table", "--store", "no-store-here"]),
        (lambda: ddbench.evaluate("no-folder", method="theirs"), ["evaluate", "no-folder", "--method", "theirs"]),
        (lambda: ddbench.check("rmd"), ["check", "rmd"]),
        (lambda: ddbench.worth(ddbench.study(methods=["random"])), ["worth", "--methods", "random"]),
        (
            lambda: ddbench.sensitivity("no-store-here", out="x.png"),
            ["sensitivity", "--store", "no-store-here", "--out", "x.png"],
        ),
        (lambda: ddbench.sensitivity(margin=float("nan")), ["sensitivity", "--margin", "nan", "--out", "x.png"]),
        (
            lambda: ddbench.run(ddbench.study(methods=["random"]), executor="inline", ray_address="auto"),
            ["run", "--executor", "inline", "--ray-address", "auto"],
        ),
    ],
)
def test_the_door_raises_what_the_command_prints(call, command):
    with pytest.raises(BenchError) as error:
        call()
    done = invoke(*command)
    assert done.returncode == 2
    # The place that is to blame is a parameter here and an option there.
    assert done.stderr.removeprefix("bench: ") == re.sub(r"^(\w+)=: ", r"--\1: ", f"{error.value}\n")


def test_an_unknown_executor_is_refused():
    with pytest.raises(BenchError, match=r"unknown executor 'rai'\. Did you mean 'ray'\?"):
        ddbench.run(ddbench.study(methods=["random"]), executor="rai")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "there is no store at"),
        (["notes.txt", "images/a.png"], r"is a folder of something else, not a store; it holds images/, notes\.txt\."),
    ],
)
def test_a_folder_that_is_no_store_is_an_error_that_says_what_is_there(tmp_path, files, message):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(BenchError, match=message):
        ddbench.load(tmp_path).frame()


def test_an_empty_store_is_an_error_that_says_so(tmp_path):
    stored(tmp_path / "s", []).root.joinpath("runs").rename(tmp_path / "away")
    with pytest.raises(BenchError, match="nothing has been run on the store"):
        ddbench.load(tmp_path / "s")


def test_failed_cells_are_rows_and_listed(results):
    frame = results.frame()
    assert len(frame) == 36
    (failed,) = frame[frame["outcome"] != "ok"].to_dict("records")
    assert (failed["method"], failed["ipc"], failed["reason"]) == ("dm", 2, "it broke")
    assert np.isnan(failed["last"])
    (listed,) = results.failures
    assert (listed.cell.method, listed.outcome, listed.reason) == ("dm", "failed", "it broke")


def test_a_frame_has_a_row_a_record_with_cost_and_hardware(results):
    row = results.frame().query("method == 'rsm_cgs' and ipc == 1 and seed == 2 and eval_seed == 1").iloc[0]
    assert (row["dataset"], row["arch"], row["protocol"]) == ("digits", "convnet3-w32", "cpu-small@1")
    assert row["best"] == pytest.approx(row["last"] + 0.05)
    assert (row["seconds_prior"], row["seconds_distill"], row["seconds_evaluate"]) == (100.0, 9.0, 1.0)
    assert (row["processor"], row["cores"]) == ("a processor", 2)
    assert row["n_images"] == 100


def test_a_frame_pivots_to_the_numbers_of_the_table(results):
    frame = results.select(methods=["random", "rsm_cgs"]).frame()
    pivot = frame.pivot_table(index="method", columns="ipc", values="last")
    data = results.select(methods=["random", "rsm_cgs"]).table().frame()
    for row in data.to_dict("records"):
        assert pivot.loc[row["method"], row["ipc"]] == pytest.approx(row["top1_mean"])


def test_cells_that_have_not_been_run_are_rows_too(tmp_path):
    records = [record(cell(), 0.5, key=hexkey(1))]
    store = stored(tmp_path / "s", records)
    asked = [[vars(cell()), hexkey(1)], [vars(cell(seed=1)), hexkey(2)]]
    store.write_run({"name": "study", "config": {}, "cells": asked})
    assert list(ddbench.load(tmp_path / "s").frame()["outcome"]) == ["ok", "not run"]


def test_curves_and_sets_are_frames(results):
    curves = results.frame("curves")
    assert list(curves[curves["key"] == curves["key"][0]]["epoch"]) == [10, 20, 30]
    sets = results.frame("sets")
    assert len(sets) == 18
    assert set(sets["images"]) == {10, 20}
    assert (sets["bytes"] > 0).all()
    with pytest.raises(BenchError, match=r"unknown frame 'curve'\. Did you mean 'curves'"):
        results.frame("curve")


def test_several_stores_are_read_as_one(made, tmp_path):
    other = stored(tmp_path / "other", [judged(cell("mine"), [True, False], key=hexkey(5))])
    frame = ddbench.load(made, other.root).frame()
    assert {"dm", "mine"} <= set(frame["method"])


@pytest.mark.parametrize(
    "layout", ["main", "methods", "ablation", "spread", "cost", "best-last", "balanced", "published"]
)
def test_a_table_prints_what_the_command_prints(made, results, layout):
    assert f"{results.table(layout=layout)}\n" == invoke("table", "--store", made, "--layout", layout).stdout


def test_a_table_is_latex_csv_json_and_a_fragment_of_html(results):
    table = results.select(methods=["random"]).table()
    assert r"\toprule" in table.to_latex()
    assert table.to_csv().startswith("dataset,split,")
    assert len(table.frame()) == 2
    assert table._repr_html_().count("<tr>") == 3


def test_names_are_escaped_in_html(tmp_path):
    stored(tmp_path / "s", [record(cell("<script>"), 0.5, key=hexkey(1))])
    shown = ddbench.load(tmp_path / "s").table()._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_a_selection_narrows_everything_and_refuses_what_is_not_there(results):
    assert {c.method for c in results.select(methods=["dm"]).cells} == {"dm"}
    with pytest.raises(BenchError, match=r"unknown method 'dn' in the runs of this store\. Did you mean 'dm'"):
        results.select(methods=["dn"])
    with pytest.raises(BenchError, match=r"unknown filter 'method'\. Did you mean 'methods'"):
        results.select(method=["dm"])


def test_two_selections_are_compared_and_ranked(made, results):
    found = results.compare(a={"method": "random"}, b={"method": "rsm_cgs"})
    done = invoke("compare", made, "--a", "method=random", "--b", "method=rsm_cgs")
    assert f"{found}\n" == done.stdout
    assert f"{results.leaderboard()}\n" == invoke("leaderboard", made).stdout
    with pytest.raises(BenchError, match="must name the same fields"):
        results.compare(a={"method": "random"}, b={"ipc": 1})
    with pytest.raises(BenchError, match="unknown field 'metod'"):
        results.compare(a={"metod": "random"}, b={"metod": "dm"})


def test_a_plot_is_a_picture_in_a_notebook_and_a_file(results, tmp_path):
    plot = results.plot("ipc", out=tmp_path / "ipc.svg")
    assert (tmp_path / "ipc.svg").read_text().lstrip().startswith("<?xml")
    assert plot._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(BenchError, match=r"must end in \.png, \.pdf, \.svg"):
        results.plot("ipc", out=tmp_path / "ipc.gif")
    with pytest.raises(BenchError, match=r"unknown plot 'icp'\. Did you mean 'ipc'"):
        results.plot("icp")


def test_a_plug_in_file_is_checked_by_its_path(tmp_path):
    assert invoke("new", "method", "door_method", "--out", tmp_path).returncode == 0
    found = ddbench.check(tmp_path / "door_method.py")
    assert found, str(found)
    assert found.method == "door_method"
    assert "rules kept" in str(found)
    (tmp_path / "two_doors.py").write_text("import ddbench\n")
    with pytest.raises(BenchError, match=r"two_doors\.py registers nothing that can be checked"):
        ddbench.check(tmp_path / "two_doors.py")


def test_a_plug_in_that_was_edited_since_is_refused(tmp_path):
    assert invoke("new", "method", "door_edited", "--out", tmp_path).returncode == 0
    path = tmp_path / "door_edited.py"
    with forgotten(["door_edited"]):
        ddbench.study(methods=["door_edited"], plugins=[path])
        path.write_text(path.read_text() + "\n# another thought\n")
        with pytest.raises(BenchError, match=r"door_edited\.py has changed since it was imported: start Python"):
            ddbench.study(methods=["door_edited"], plugins=[path])


class Told(ddbench.Watcher):
    def __init__(self):
        self.heard = []

    def record(self, record):
        self.heard.append(record)


def test_watchers_are_told_by_instance_or_by_name(tmp_path):
    told, events = Told(), tmp_path / "events.jsonl"
    study = ddbench.study("digits", methods=["random"], ipc=[1], seeds=[0], eval_seeds=[0])
    watchers = [told, f"jsonl[path={events}]"]
    results = ddbench.run(study, tmp_path / "s", executor="inline", watchers=watchers)
    assert told.heard == results.records
    assert len(events.read_text().splitlines()) == 5  # begin, two stages, a record, end


@pytest.mark.parametrize(
    ("watcher", "message"),
    [("jsonk", r"unknown watcher 'jsonk'\. Did you mean 'jsonl'"), (len, "is no watcher: name a registered one")],
)
def test_a_watcher_that_is_none_is_refused_before_anything_is_run(tmp_path, watcher, message):
    study = ddbench.study("digits", methods=["random"], ipc=[1])
    with pytest.raises(BenchError, match=message):
        ddbench.run(study, tmp_path / "s", executor="inline", watchers=[watcher])
    assert not (tmp_path / "s").exists()


def test_images_of_others_are_judged(tmp_path):
    study = ddbench.study("digits", methods=["random"], ipc=[1], seeds=[0], eval_seeds=[0])
    ddbench.run(study, tmp_path / "s", executor="inline")
    assert invoke("export", "--store", tmp_path / "s", "--out", tmp_path / "out").returncode == 0
    theirs = ddbench.evaluate(
        tmp_path / "out" / "digits" / "random" / "ipc1-seed0",
        dataset="digits",
        method="theirs",
        eval_seeds=[0],
        store=tmp_path / "s",
        executor="inline",
    )
    frame = ddbench.load(tmp_path / "s").frame().set_index("method")
    assert [c.method for c in theirs.cells] == ["theirs"]
    assert frame.loc["theirs", "last"] == frame.loc["random", "last"]


def test_a_type_checker_and_help_see_the_functions():
    code = "import ddbench; help(ddbench.study)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "A study: the configuration" in done.stdout
