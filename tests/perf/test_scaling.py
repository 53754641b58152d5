"""The digits study inline and under Ray with two workers of one thread, side by side in one run.

pytest tests/perf/test_scaling.py -s -o addopts=
"""

import json
import os
import subprocess
import sys
import time

import pytest

from ddbench.stages.provenance import provenance


def study(store, executor):
    """The study's wall time in seconds, starting Python and Ray included, and its table."""
    command = [sys.executable, "-m", "ddbench.cli.main", "run", "--json", "--executor", executor]
    began = time.perf_counter()
    done = subprocess.run([*command, "--store", str(store)], capture_output=True, text=True, check=True)
    return time.perf_counter() - began, json.loads(done.stdout)["table"]


@pytest.mark.timeout(3600)
def test_two_workers_beside_one_process(tmp_path):
    inline, one = study(tmp_path / "inline", "inline")
    ray, two = study(tmp_path / "ray", "ray")
    assert one == two
    cores = len(os.sched_getaffinity(0))
    print(f"\n{provenance()['processor']}, {cores} cores")
    print(f"inline {inline:.0f} s, Ray {ray:.0f} s: {inline / ray:.2f}x")
