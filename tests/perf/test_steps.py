"""Time of the training loops on a CPU, beside that of another checkout of this project: ratios below 1 are gains.

Both run in processes of their own, in turns, and are compared by the least processor time of a few runs, so that what
else the machine does counts little. The bytes that they make are compared too.

OMP_NUM_THREADS=1 BASELINE=CHECKOUT pytest tests/perf/test_steps.py -s -o addopts=

CHECKOUT may also be a folder of site-packages, and any version since 0.1.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASELINE = os.environ.get("BASELINE")
ROUNDS = int(os.environ.get("ROUNDS", "5"))
LOOPS = Path(__file__).with_name("loops.py")
NAMES = [
    "digits prior",
    "judge, convnet3-w32, AdamW",
    "judge, convnet3-w32, SGD and augmentation at 32 px",
    "embedder",
    "surrogate",
    "DM, IPC 1",
    "DM, IPC 10",
]


def importable(root, tree):
    """The folder from which the packages of ``root`` are imported: itself where they lie in it under their names, as in
    site-packages and in releases before 0.2, else ``tree``, with links to those of a checkout."""
    file = root / "pyproject.toml"
    project = tomllib.loads(file.read_text())["tool"]["setuptools"] if file.exists() else {}
    if "package-dir" not in project:
        return root
    for package, folder in project["package-dir"].items():
        place = tree.joinpath(*package.split("."))
        place.mkdir(parents=True)
        for entry in (root / folder).iterdir():
            (place / entry.name).symlink_to(entry)
    return tree


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """A process for each checkout, which runs the loop that it is told and says how long it took and what came out."""
    if not BASELINE:
        pytest.skip("BASELINE names no checkout to compare with")
    processes = []
    for number, root in enumerate((BASELINE, ROOT)):
        tree = importable(Path(root), tmp_path_factory.mktemp(f"side{number}"))
        processes.append(
            subprocess.Popen(
                [sys.executable, str(LOOPS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(tree), "WORKS_FROM": str(tree), "OMP_NUM_THREADS": "1"},
            )
        )
    yield processes
    for process in processes:
        process.stdin.close()
        process.wait()


@pytest.mark.parametrize("name", NAMES)
def test_time_beside_the_baseline(sides, name):
    best, bytes_ = [float("inf")] * 2, [None] * 2
    for _ in range(ROUNDS):
        for side, process in enumerate(sides):
            print(name, file=process.stdin, flush=True)
            seconds, bytes_[side] = process.stdout.readline().split()
            best[side] = min(best[side], float(seconds))
    same = "the same bytes" if bytes_[0] == bytes_[1] else "other bytes"
    print(f"\n{name}: {best[1]:.3f} s, baseline {best[0]:.3f} s, ratio {best[1] / best[0]:.2f}, {same}")
