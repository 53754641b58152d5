"""A store of release 0.1, whose records name classes by module: it reads, and its sets are made anew on demand.

tests/support/release_0_1 is a part of what ``bench run --config smoke`` of that release left: three methods, without
the prior's weights.
"""

import shutil
from pathlib import Path

import pytest

import ddbench
from tests.support.invoke import invoke

FORMER = Path(__file__).parents[1] / "support" / "release_0_1"


@pytest.fixture
def former(tmp_path):
    return shutil.copytree(FORMER, tmp_path / "store")


@pytest.mark.slow
def test_its_tables_say_what_they_said_and_mark_what_differs_from_its_source(former):
    done = invoke("table", "--store", former)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "| dataset | arch | IPC | full | random | cgs* |\n"
        "|---|---|--:|--:|--:|--:|\n"
        "| digits | convnet3-w32 | 1 | 98.9 | **70.7** | <u>63.9</u> |\n"
        "\n"
        "Top-1 accuracy (%) at the last epoch: mean ± sample standard deviation over distilled sets (n = 1 distilled "
        "set, 1 classifier each). full: all real train images, 1 classifier. Split stratified-60-20-20/test, "
        "protocol cpu-small@1 (hard labels). * differs from its source (`bench info NAME`): cgs in prior.\n"
    )


def test_its_frames_and_report_are_made(former, tmp_path):
    results = ddbench.load(former)
    frame = results.frame()
    assert dict(zip(frame["method"], frame["last"].round(3), strict=True)) == {
        "full": 0.989,
        "random": 0.707,
        "cgs": 0.639,
    }
    assert (frame["outcome"] == "ok").all()
    assert len(results.frame("curves")) == 30
    assert list(results.frame("sets")["images"]) == [10, 10]
    assert "cgs" in results.report(tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    "command", [["export", "--out", "OUT"], ["shift", "--space", "pixels", "--executor", "inline"]]
)
def test_what_needs_its_manifests_says_in_a_line_what_to_do(former, tmp_path, command):
    done = invoke(*(str(tmp_path / "out") if word == "OUT" else word for word in command), "--store", former)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "cgs" in line]
    assert "was made by a release before 0.2; the `bench run` that asked for it makes it again" in line


def test_show_reads_its_cells(former):
    done = invoke("show", "digits/cgs/ipc1/seed0/convnet3-w32/eval0", "--store", former)
    assert done.returncode == 0, done.stderr
    assert "top-1      63.9 %" in done.stdout
