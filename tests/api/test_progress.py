"""What is shown while a run is under way: a table that fills, on a terminal or in a notebook, and lines elsewhere."""

import io
import re

import pytest
from rich.console import Console

from ddbench.api import progress as module
from ddbench.api.board import Board
from ddbench.api.progress import Display, Lines, Notebook
from ddbench.execute.pace import Pace
from ddbench.plan.graph import Plan, Stage
from ddbench.stages.run import StageResult
from tests.support.records import cell, record

METHODS = ("random", "herding", "dm")


def planned(methods=METHODS, ipc=(1, 10), seeds=(0, 1)):
    cells = [cell(method, seed, ipc=n) for method in methods for n in ipc for seed in seeds]
    stages = {}
    for c in cells:
        made, key = f"{c.method}-{c.ipc}-{c.seed}", str(c)
        task = {"dataset": {"name": "d"}, "threads": 1, "device": "cpu", "ipc": c.ipc}
        stages[made] = Stage("distill", made, {"stage": "distill", **task}, (), made)
        judged = {"stage": "evaluate", **task, "cell": vars(c), "judged": {"split": "test"}}
        judged |= {"network": {"type": "n"}, "protocol": {"type": "p"}}
        stages[key] = Stage("evaluate", key, judged, (made,), key)
    return Plan(stages, {c: str(c) for c in cells})


def screen(width, height):
    return Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)


def display(plan, width=100, height=40, how_far=lambda key: None, read=lambda key: ()):
    shown = Display(screen(width, height), False, Pace(how_far), Board(plan, read))
    shown.begin(list(plan.stages.values()))
    return shown


def judge(shown, plan, c, accuracy, outcome="ok"):
    stage = plan.stages[plan.cells[c]]
    shown.started(stage)
    shown.finished(stage, StageResult(outcome, seconds=1, record="a file"))
    shown.record(record(c, accuracy, outcome=outcome))


def text(shown):
    console = shown.console
    with console.capture() as captured:
        console.print(shown.render())
    return captured.get().splitlines()


def row(lines, name):
    (found,) = [line for line in lines if line.startswith(f"│ {name} ")]
    return [part.strip() for part in found.strip("│").split("│")]


def test_the_table_fills_cell_by_cell_and_marks_what_is_incomplete():
    plan = planned()
    shown = display(plan, width=45)
    assert row(text(shown), "dm") == ["dm", "(0/2)", "(0/2)"]
    judge(shown, plan, cell("dm", 0, ipc=10), 0.8)
    assert row(text(shown), "dm") == ["dm", "(0/2)", "80.0 (1/2)"]
    judge(shown, plan, cell("dm", 1, ipc=10), 0.6)
    assert row(text(shown), "dm") == ["dm", "(0/2)", "70.0 ± 14.1"]


def test_the_caption_explains_a_count_that_stands_in_the_table():
    plan = planned(("dm",), ipc=(10,), seeds=(0, 1, 2))
    shown = display(plan, width=80)
    assert "Top-1 (%) so far; (0/3): none of 3 cells yet." in text(shown)
    judge(shown, plan, cell("dm", 0, ipc=10), 0.8)
    assert "Top-1 (%) so far; (1/3): mean of 1 of 3 cells." in text(shown)
    judge(shown, plan, cell("dm", 1, ipc=10), 0.8)
    judge(shown, plan, cell("dm", 2, ipc=10), 0.8)
    assert "Top-1 (%)." in text(shown)


def test_nothing_to_run_shows_nothing():
    shown = display(Plan({}, {}))
    assert text(shown) in ([], [""])


def test_failed_cells_are_counted_in_the_table():
    plan = planned()
    shown = display(plan, width=45)
    judge(shown, plan, cell("dm", 0), 0.0, outcome="failed")
    assert row(text(shown), "dm")[1] == "(1 failed of 2)"
    judge(shown, plan, cell("dm", 1), 0.5)
    assert row(text(shown), "dm")[1] == "50.0 (1/2, 1 failed)"


def test_records_of_another_run_on_the_store_are_read():
    plan = planned()
    c = cell("dm", 0)
    shown = display(plan, width=45, read=lambda key: [record(c, 0.5)])
    shown.finished(plan.stages[str(c)], StageResult("ok", "made by another run on this store"))
    assert row(text(shown), "dm")[1] == "50.0 (1/2)"


def test_methods_are_columns_where_every_number_to_come_fits():
    header = text(display(planned(), width=100))[1]
    assert all(name in header for name in METHODS)
    assert "method" in text(display(planned(), width=60))[1]


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("height", [10, 24, 50])
def test_the_block_fits_the_terminal_and_keeps_the_bars(width, height):
    plan = planned(methods=[f"method{i}" for i in range(30)])
    shown = display(plan, width, height)
    for c in list(plan.cells)[:5]:
        shown.started(plan.stages[plan.cells[c]])
    lines = text(shown)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert any(line.startswith("evaluate") for line in lines)
    assert any("left" in line for line in lines)


def test_of_many_rows_those_that_are_worked_on_are_shown():
    plan = planned(methods=[f"method{i}" for i in range(30)])
    shown = display(plan, 80, 20)
    shown.started(plan.stages["method23-10-0"])
    lines = text(shown)
    assert row(lines, "method23")
    assert any(re.search(r"\d\d more rows, 0 complete", line) for line in lines)


def test_a_running_stage_says_how_far_it_is_and_how_long_it_will_take(monkeypatch):
    clock, far = [0.0], {}
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    plan = planned()
    shown = display(plan, how_far=far.get)
    shown.started(plan.stages["dm-1-0"])
    for clock[0], far["dm-1-0"] in ((0.0, 0.0), (30.0, 0.25)):
        lines = text(shown)
    assert any(line.startswith("  now") and line.rstrip().endswith("25% 0:30, 1:30 left") for line in lines)


def test_lines_are_for_stages_that_ended_and_for_long_silence(monkeypatch):
    clock, far = [0.0], {}
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    out, plan = io.StringIO(), planned(METHODS[:1], (1,), (0,))
    lines = Lines(False, out, Pace(far.get))
    lines.begin(list(plan.stages.values()))
    stage = plan.stages["random-1-0"]
    lines.started(stage)
    for clock[0] in range(32):
        far[stage.key] = clock[0] / 100
        lines.look()
    lines.finished(stage, StageResult("ok", seconds=32))
    assert out.getvalue().splitlines() == [
        "2 stages to run: 1 distill, 1 evaluate",
        "under way: distill random-1-0 30% after 0:30, 1:10 left; left: at least 1:10",
        "[1/2] distill random-1-0: 32.0 s; left: unknown",
    ]


def test_a_notebook_shows_the_table_and_how_far_a_stage_is(monkeypatch):
    written = []

    class Handle:
        def display(self, html):
            written.append(html.data)

        update = display

    monkeypatch.setattr("IPython.display.DisplayHandle", Handle)
    plan = planned(("<b>",), (1,), (0, 1))
    shown = Notebook(False, Pace(lambda key: 0.5), Board(plan))
    shown.begin(list(plan.stages.values()))
    judge(shown, plan, cell("<b>", 0), 0.5)
    shown.started(plan.stages["<b>-1-1"])
    shown.refresh()
    assert "50.0 (1/2)" in written[-1]
    assert "under way: distill &lt;b&gt;-1-1 50% after" in written[-1]
    assert "<b>" not in written[-1]
