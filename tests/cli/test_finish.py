"""What ``bench run`` says last: which commands are the most useful next."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from ddbench.cli import finish
from ddbench.plan.graph import Plan
from tests.support.records import cell, record


def next_lines(capsys, methods, failed=0, store="bench-store", seeds=(0, 1)):
    """What is printed where ``methods`` have these accuracies."""
    done = SimpleNamespace(
        store=SimpleNamespace(address=str(Path(store).absolute())), summary=SimpleNamespace(cells={"failed": failed})
    )
    cells = {cell(method, seed=seed): f"{method}{seed}" for method in methods for seed in seeds}
    records = [record(of, methods[of.method]) for of in cells]
    finish.say_what_next(done, Plan({}, cells), records)
    captured = capsys.readouterr()
    assert captured.out == ""
    title, *lines = captured.err.splitlines()
    assert title == "Next:"
    return lines


def next_commands(*arguments, **options):
    return [line.strip().split("  ")[0] for line in next_lines(*arguments, **options) if line.startswith("  bench")]


@pytest.mark.parametrize(
    ("methods", "failed", "seeds", "expected"),
    [
        ({"dit": 0.5, "rsm": 0.6}, 0, (0, 1), ["report", "compare --a method=dit --b method=rsm", "table"]),
        (
            {"random": 0.4, "rsm": 0.6, "x": 0.5},
            0,
            (0, 1),
            ["report", "compare --a method=random --b method=rsm", "table"],
        ),
        ({"rsm": 0.6}, 0, (0, 1), ["report", "table --layout spread", "shift"]),
        ({"dit": 0.5, "rsm": 0.6}, 0, (0,), ["report", "shift", "table --layout cost"]),
        ({"dit": 0.5, "rsm": 0.6}, 1, (0, 1), ["status", "report", "compare"]),
    ],
)
def test_three_commands_by_what_there_is(capsys, methods, failed, seeds, expected):
    commands = next_commands(capsys, methods, failed, seeds=seeds)
    assert len(commands) == 3
    assert all(command.startswith(f"bench {start}") for command, start in zip(commands, expected, strict=True))


def test_they_can_be_typed_as_they_stand(capsys):
    commands = next_commands(capsys, {"dit": 0.5, "rsm[weight=0.1]": 0.6}, store="my store")
    assert commands[0] == "bench report --store 'my store'"
    assert commands[1] == "bench compare 'my store' --a method=dit --b 'method=rsm[weight=0.1]'"


@pytest.mark.parametrize(("columns", "number"), [("80", 6), ("120", 3)])
def test_no_line_is_wider_than_the_terminal(capsys, monkeypatch, columns, number):
    monkeypatch.setenv("COLUMNS", columns)
    lines = next_lines(capsys, {"dit": 0.5, "rsm_cgs": 0.6})
    assert len(lines) == number
    assert max(map(len, lines)) <= int(columns)
