"""Report, projection and light commands beside those of an earlier commit.

``pytest tests/perf/test_commands.py -s -o addopts=`` prints the ratios.

The commit is checked out beside this one and run by its own import path, on a store that it made itself.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

BEFORE = "8aee41e"
HERE = Path(__file__).parents[2]
STUDY = ("--methods", "random,herding,kcenter", "--seeds", "0-1", "--eval-seeds", "0", "--executor", "inline")
TIMES = 3
COMMANDS = {"report": ("report",), "projection": ("plot", "projection")}


LAUNCHER = """
import os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, used = os.wait4(process.pid, 0)
took = time.perf_counter() - began
print(used.ru_utime + used.ru_stime, took, used.ru_maxrss, os.waitstatus_to_exitcode(status))
"""
"""starts a command and tells what it used: a process begins with the peak of the one that starts it, which a large one
would be"""


def bench(package, path, *arguments):
    """Processor seconds, wall seconds and MiB at the peak of the command, which has one thread: other work beside it
    counts less in processor seconds than in wall time."""
    code = f"import sys; from {package}.cli.main import main; sys.exit(main())"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(path)}
    command = [sys.executable, "-S", "-c", LAUNCHER, sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=path)
    seconds, wall, kib, status = map(float, done.stdout.splitlines()[-1].split())
    assert status == 0, done.stderr
    return seconds, wall, kib / 1024


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """Name -> (package, import path, store)."""
    folder = tmp_path_factory.mktemp("versions")
    before = folder / "before"
    subprocess.run(["git", "worktree", "add", "--detach", before, BEFORE], cwd=HERE, check=True, capture_output=True)
    try:
        declared = tomllib.loads((before / "pyproject.toml").read_text())["project"]
        points = declared["entry-points"].items()
        about = before / f"{declared['name'].replace('-', '_')}-0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: 0\n")
        (about / "entry_points.txt").write_text(
            "\n".join(f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in names.items()) for group, names in points)
        )
        (folder / "now").mkdir()
        found = {"before": ("benchmark", before), "now": ("ddbench", folder / "now")}
        for name, (package, path) in found.items():
            bench(package, path, "run", *STUDY, "--store", folder / f"{name}-store")
        yield {name: (*where, folder / f"{name}-store") for name, where in found.items()}
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", before], cwd=HERE, check=True)


@pytest.mark.parametrize("kind", COMMANDS)
def test_it_takes_at_most_half(kind, versions, tmp_path):
    found = {name: [] for name in versions}
    out = tmp_path / ("x.html" if kind == "report" else "x.png")
    for _ in range(TIMES):
        for name, (package, path, store) in versions.items():
            found[name].append(bench(package, path, *COMMANDS[kind], store, "--out", out))
    for what, choose in (("first", lambda calls: calls[0]), ("again", min)):
        (a, a_wall, a_peak), (b, b_wall, b_peak) = choose(found["before"]), choose(found["now"])
        print(
            f"\n{kind}, {what}: {a:.1f} -> {b:.1f} processor s ({b / a:.2f}), {a_wall:.1f} -> {b_wall:.1f} s, "
            f"{a_peak:.0f} -> {b_peak:.0f} MiB at the peak ({b_peak / a_peak:.2f})",
            flush=True,
        )
    assert min(found["now"])[0] <= min(found["before"])[0] / 2


LIGHT = {
    "--help": (),
    "list methods": (),
    "info rsm_cgs": (),
    "plan": (),
    "run --dry-run": (),
    "status": ("--store",),
    "table": ("--store",),
    "leaderboard": (),
    "compare --a method=random --b method=herding": (),
}
"""command -> what names the store, behind which it stands; without, it stands alone where the command takes one"""
TAKES_STORE = ("status", "table", "leaderboard", "compare")


@pytest.mark.parametrize("command", LIGHT)
def test_light_commands_take_less_than_a_second_of_a_processor(command, versions):
    """Printed, not asserted: a busy machine is slower. The first call, which may fill caches, is not counted."""
    found = {name: [] for name in versions}
    for turn in range(TIMES + 1):
        for name, (package, path, store) in versions.items():
            place = (*LIGHT[command], store) if command.partition(" ")[0] in TAKES_STORE else ()
            took = bench(package, path, *command.split(), *place)
            found[name] += [took] if turn else []
    (a, a_wall, a_peak), (b, b_wall, b_peak) = min(found["before"]), min(found["now"])
    print(
        f"\nbench {command}: {a:.2f} -> {b:.2f} processor s ({b / a:.2f}), {a_wall:.2f} -> {b_wall:.2f} s, "
        f"{a_peak:.0f} -> {b_peak:.0f} MiB at the peak",
        flush=True,
    )
