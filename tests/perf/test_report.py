"""Report and projection beside those of an earlier commit. ``pytest tests/perf/test_report.py -s`` prints the ratios.

The commit is checked out beside this one and run by its own import path, on a store that it made itself.
"""

import os
import resource
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

BEFORE = "8aee41e"
HERE = Path(__file__).parents[2]
STUDY = ("--methods", "random,herding,kcenter", "--seeds", "0-1", "--eval-seeds", "0", "--executor", "inline")
TIMES = 3
COMMANDS = {"report": ("report",), "projection": ("plot", "projection")}


def bench(package, path, *arguments):
    """Processor seconds of the command, which has one thread: other work beside it counts less than in wall time."""
    code = f"import sys; from {package}.cli.main import main; sys.exit(main())"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(path)}
    began = time.perf_counter()
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=path)
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, time.perf_counter() - began


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
    first, best = {}, {}
    out = tmp_path / ("x.html" if kind == "report" else "x.png")
    for _ in range(TIMES):
        for name, (package, path, store) in versions.items():
            used, wall = bench(package, path, *COMMANDS[kind], store, "--out", out)
            first.setdefault(name, (used, wall))
            best[name] = min(best.get(name, (used, wall)), (used, wall))
    for what, found in (("first", first), ("again", best)):
        (a, a_wall), (b, b_wall) = found["before"], found["now"]
        print(
            f"\n{kind}, {what}: {a:.1f} -> {b:.1f} processor s ({b / a:.2f}), {a_wall:.1f} -> {b_wall:.1f} s",
            flush=True,
        )
    assert best["now"][0] <= best["before"][0] / 2
