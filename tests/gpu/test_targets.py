"""The table of rates: this version and a baseline on the same card in one run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from ddbench.stages.hardware import card
from tests.gpu.works import WORKS

SCRIPT = Path(__file__).with_name("works.py")
LIMIT = 280
"""seconds of a side"""


def side(name, device, site=None):
    """What ``works.py`` measures with the packages in ``site`` before all others."""
    path = os.pathsep.join(filter(None, [site, os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "WORKS_FROM": site or "", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    environment |= {"PYTHONPATH": path} if path else {}
    command = [sys.executable, str(SCRIPT), device, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=environment, cwd=SCRIPT.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def shown(value):
    return f"{value:.4g}" if isinstance(value, float) else "not measured"


def test_rates_beside_those_of_the_baseline(device):
    new = side("new", device)
    site = os.environ.get("BASELINE")
    old = side("baseline", device, site) if site else {}
    on = card() or {"name": "the processor, at toy size"}
    print(f"\n{on['name']}, driver {on.get('driver')}, CUDA {on.get('cuda')}, torch {torch.__version__}")
    print("| work | baseline | new | ratio | at least |\n|---|--:|--:|--:|--:|")
    for name, (_, least) in WORKS.items():
        before, now = old.get(name), new[name]
        both = isinstance(before, float) and isinstance(now, float) and now > 0
        ratio = f"{before / now:.2f}" if both else "not measured"
        print(f"| {name} | {shown(before)} | {shown(now)} | {ratio} | {least:g} |")
    problems = {("baseline", name): why for name, why in old.items() if isinstance(why, str)}
    problems |= {("new", name): why for name, why in new.items() if isinstance(why, str)}
    for (which, name), why in problems.items():
        print(f"{which}, {name}: {why}")
    assert not [name for which, name in problems if which == "new"]
