"""``bench worth``: what it plans, runs and prints."""

import csv
import io
import json

import ddbench
from tests.support.invoke import invoke


def test_it_plans_the_sets_larger_plain_sets_and_the_whole_split(tiny_study, tmp_path):
    done = invoke(
        "worth", "--config", tiny_study, "--methods", "cgs,random", "--ipc", "1", "--factors", "1,3", "--dry-run",
        "--store", tmp_path / "s", "--format", "json",
    )  # fmt: skip
    cells = json.loads(done.stdout)["cells"]
    assert {(cell["method"], cell["ipc"]) for cell in cells} == {("cgs", 1), ("dit", 1), ("dit", 3), ("full", 0)}
    assert not (tmp_path / "s").exists()


def test_it_runs_them_and_prints_the_table_again_from_the_store(tiny_study, tmp_path):
    command = (
        "worth", "--config", tiny_study, "--methods", "cgs", "--ipc", "1", "--factors", "1,2", "--seeds", "0",
        "--protocol", "cpu-small@1[epochs_by_ipc=[[1000,1]]]", "--executor", "inline", "--store", tmp_path / "s",
        "--format", "csv",
    )  # fmt: skip
    first, again = invoke(*command), invoke(*command)
    assert first.returncode == 0, first.stderr
    assert first.stdout == again.stdout
    (row,) = csv.DictReader(io.StringIO(first.stdout))
    assert (row["method"], row["model"], row["prior"]) == ("cgs", "dit", "dit")
    assert row["worth_of_model_side"] in ("below", "within", "above")
    study = ddbench.study(
        str(tiny_study), methods=["cgs"], ipc=[1], seeds=[0], protocol="cpu-small@1[epochs_by_ipc=[[1000,1]]]"
    )
    found = ddbench.worth(study, tmp_path / "s", factors=[1, 2], executor="inline")
    assert (found.to_csv(), found.failed) == (first.stdout, 0), "the door finds it in the store"


def test_slips_are_named():
    for arguments, message in (
        (["--methods", "random"], "no method of this study samples a generative model"),
        (["--factors", "0,1"], "a set of no images is none"),
        (["--factors", "5", "--ipc", "1"], "takes two sizes at least. Example: --factors 1,2,5,10"),
    ):
        done = invoke("worth", *arguments)
        assert done.returncode == 2
        assert message in done.stderr
