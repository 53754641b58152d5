"""All real train images: the upper row, once for a dataset, arch and protocol."""

import pytest

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.plan.build import make_plan
from ddbench.results.statistics import Estimate, Position
from ddbench.results.tables import blocks, latex, markdown, rows
from ddbench.types import Cell
from tests.support.invoke import invoke


def test_the_whole_train_split_is_judged_once_whatever_ipcs_and_seeds_there_are():
    changes = {"grid.methods": ["random", "full"], "grid.ipc": [1, 10], "grid.seeds": [0, 1, 2]}
    plan = make_plan(resolve(load_config("digits", {**changes, "grid.eval_seeds": [0, 1]}, [])))
    whole = [cell for cell in plan.cells if cell.method == "full"]
    assert [(cell.ipc, cell.seed, cell.eval_seed) for cell in whole] == [(0, 0, 0), (0, 0, 1)]
    assert plan.counts()["distill"] == 6
    assert all(plan.stages[plan.cells[cell]].parents == () for cell in whole)


def test_the_upper_row_runs_and_stands_in_the_table(tmp_path):
    arguments = ["--methods", "random,full", "--ipc", "1", "--seeds", "0", "--eval-seeds", "0,1"]
    # The protocol at its quickest: what is tested is the way of the images, not their worth.
    quick = "cpu-small@1[epochs_by_ipc=[[1000, 1]],evaluations=1]"
    done = invoke("run", *arguments, "--protocol", quick, "--store", tmp_path / "store", "--executor", "inline")
    assert done.returncode == 0, done.stderr
    assert "full: all real train images, ± over 2 classifiers." in done.stdout
    assert len([line for line in done.stdout.splitlines() if line.startswith("| digits")]) == 1


def estimate(mean, **more):
    return Estimate(mean=mean, sd=0.01, sets=1, classifiers=3, cells=3, ok=3, **more)


@pytest.fixture
def table():
    def position(ipc, method):
        return Position.of(Cell("digits", "s/test", "net", ipc, method, "p@1", 0, 0))

    return {
        position(1, "random"): estimate(0.5),
        position(1, "dm"): estimate(0.6),
        position(10, "random"): estimate(0.7),
        position(0, "full"): estimate(0.98),
    }


def test_the_upper_row_repeats_in_every_row_and_competes_with_nobody(table):
    lines = markdown(blocks(table, "last")).splitlines()
    assert lines[2] == "| digits | net | 1 | <u>50.0 ± 1.0</u> | **60.0 ± 1.0** | 98.0 ± 1.0 |"
    assert lines[3] == "| digits | net | 10 | 70.0 ± 1.0 | – | 98.0 ± 1.0 |"


def test_the_upper_row_alone_says_all_for_its_ipc(table):
    alone = {position: value for position, value in table.items() if position.ipc == 0}
    assert markdown(blocks(alone, "last")).splitlines()[2] == "| digits | net | all | 98.0 ± 1.0 |"
    assert "Digits" not in latex(blocks(alone, "last"))


def test_data_formats_hold_the_upper_row_once(table):
    found = rows(blocks(table, "last"))
    assert [row["ipc"] for row in found if row["method"] == "full"] == [0]
    assert len(found) == 4
