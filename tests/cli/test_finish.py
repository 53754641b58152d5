"""What ``bench run`` says last: which commands are the most useful next."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from ddbench.cli import finish
from ddbench.plan.graph import Plan
from tests.support.records import cell


def next_commands(capsys, methods, failed=0, store="bench-store"):
    done = SimpleNamespace(
        store=SimpleNamespace(address=str(Path(store).absolute())), summary=SimpleNamespace(cells={"failed": failed})
    )
    finish.say_what_next(done, Plan({}, {cell(method): method for method in methods}))
    captured = capsys.readouterr()
    assert captured.out == ""
    title, *lines = captured.err.splitlines()
    assert title == "Next:"
    return [line.strip().split("  ")[0] for line in lines]


@pytest.mark.parametrize(
    ("methods", "failed", "expected"),
    [
        (["dit", "rsm"], 0, ["bench report", "bench compare --a method=rsm --b method=dit", "bench table"]),
        (["rsm"], 0, ["bench report", "bench table", "bench shift"]),
        (["dit", "rsm"], 1, ["bench status", "bench report", "bench compare"]),
    ],
)
def test_three_commands_by_what_there_is(capsys, methods, failed, expected):
    commands = next_commands(capsys, methods, failed)
    assert len(commands) == 3
    assert all(command.startswith(start) for command, start in zip(commands, expected, strict=True))


def test_they_can_be_typed_as_they_stand(capsys):
    commands = next_commands(capsys, ["dit", "rsm[weight=0.1]"], store="my store")
    assert commands[0] == "bench report --store 'my store'"
    assert commands[1] == "bench compare 'my store' --a 'method=rsm[weight=0.1]' --b method=dit"
