"""The table of rates: this version, a baseline and an independent loop on the same card in one run, of at most five
minutes: each row has seconds of its own (``works.BUDGET``), and each process a limit."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ddbench.api.pricing import built_in, price
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.data.imagenet_subsets import NETTE_WNIDS, WOOF_WNIDS
from ddbench.plan.build import make_plan
from ddbench.results.rates import by_work
from ddbench.results.scaling import scaled
from ddbench.stages.hardware import card
from tests.data.test_data import make_tree
from tests.gpu.conftest import ON
from tests.gpu.works import BUDGET, WORKS

HERE = Path(__file__).parent
START = 15
"""seconds in which a process imports torch and opens the card"""
LOOP = 25
"""seconds of the loop image by image"""
LIMITS = {side: START + sum(BUDGET[side].values()) for side in BUDGET} if ON == "cuda" else dict.fromkeys(BUDGET, 600)
"""seconds of a side"""
JUDGED = "ConvNet-6 at 224 px, IPC 10, judged, s a training image"

RATES = {
    "DiT-XL/2, 256 px, 50 guided steps, CGS, s an image": ("sample DiT-XL/2 at 256 px", 1 / 50),
    "SD autoencoder, decode, s an image": ("decode KLAutoencoder at 256 px", 1),
    "SD autoencoder, encode, s an image": ("encode KLAutoencoder at 256 px", 1),
    JUDGED: ("judge convnet6 at 224 px, batch 64", 1),
    "ResNet-18 at 224 px, IPC 10, judged, s a training image": ("judge resnet18 at 224 px, batch 64", 1),
    "DiffFit on DiT-XL/2, batch 8, s a step": ("tune DiT-XL/2 at 256 px by difffit, batch 8", 1),
    "DM at 256 px, ConvNet-6, IPC 10, s an iteration": ("dm convnet6 at 256 px, IPC 10, 10 classes of 256", 1),
}
"""work of the table -> that of rates.csv, and units of that in one of this"""
OFF = {"sample": ("fp32", "none"), "decode": ("fp32", "none"), "encode": ("fp32", "none"), "tune": ("bf16", "none")}
"""first word of a work -> how commit 8aee41e computed it by default; judging and DM convolved in TF32"""
ASKED = {"sample": ("bf16", "blocks"), "tune": ("bf16", "none"), JUDGED: ("bf16", "blocks")}
"""how this version measures a work, where not in TF32"""


def script(name, *arguments, limit, site=None):
    """What a script of this folder prints, with the packages in ``site`` before all others."""
    path = os.pathsep.join(filter(None, [site, os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "WORKS_FROM": site or "", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    environment |= {"PYTHONPATH": path} if path else {}
    command = [sys.executable, str(HERE / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment, cwd=HERE)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def new(device):
    """Seconds of each work by this version."""
    return script("works.py", device, "new", limit=LIMITS["new"])


@pytest.fixture(scope="module")
def old(device):
    """Those of the baseline; none without one."""
    site = os.environ.get("BASELINE")
    return script("works.py", device, "baseline", limit=LIMITS["baseline"], site=site) if site else {}


def shown(value):
    return f"{value:.4g}" if isinstance(value, float) else "not measured"


def row(name, before, now, least):
    both = isinstance(before, float) and isinstance(now, float) and now > 0
    ratio = f"{before / now:.2f}" if both else "not measured"
    return f"| {name} | {shown(before)} | {shown(now)} | {ratio} | {least:g} |"


def test_the_whole_takes_at_most_five_minutes_of_a_card():
    assert set(BUDGET["new"]) == set(BUDGET["baseline"]) == set(WORKS)
    assert sum(START + sum(rows.values()) for rows in BUDGET.values()) + LOOP <= 300


def test_rates_beside_those_of_the_baseline(new, old):
    on = card() or {"name": "the processor, at toy size"}
    print(f"\n{on['name']}, driver {on.get('driver')}, CUDA {on.get('cuda')}, torch {torch.__version__}")
    print("| work | baseline | new | ratio | at least |\n|---|--:|--:|--:|--:|")
    for name, (_, least) in WORKS.items():
        print(row(name, old.get(name), new[name], least))
    problems = {("baseline", name): why for name, why in old.items() if isinstance(why, str)}
    problems |= {("new", name): why for name, why in new.items() if isinstance(why, str)}
    for (which, name), why in problems.items():
        print(f"{which}, {name}: {why}")
    assert not [name for which, name in problems if which == "new"]


def test_judging_beside_a_loop_image_by_image(new, device):
    plain = script("image_by_image.py", device, limit=LOOP if device == "cuda" else 600)
    print("\n" + row("ConvNet-6 at 224 px, IPC 10: baseline is a loop image by image", plain, new[JUDGED], 18))
    assert plain > 0


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """The stages of the study ``paper``, on folders of a hundred images a class: how many there are in the papers'
    counts for encoding alone, a hundredth of an hour."""
    where = []
    for name, wnids in (("imagenette", NETTE_WNIDS), ("imagewoof", WOOF_WNIDS)):
        root = make_tree(tmp_path_factory.mktemp(name) / "images", 100, wnids)
        where += [f"data.{name}.root={root}", f"data.{name}.variant=any"]
    return list(make_plan(resolve(load_config("paper", {}, where))).stages.values())


def test_the_study_paper_in_hours_of_this_card(new, old, paper):
    """As configured, by the rates of this run, beside each option off, by those of the baseline."""
    before, now = hours(paper, rates(old, former=True), former=True), hours(paper, rates(new))
    works = [work for work in before if before[work] is not None and now[work] is not None]
    print("\n" + row("the study `paper`, hours", sum(before[w] for w in works), sum(now[w] for w in works), 5))
    print("before: " + ("by the baseline of this run" if old else "by results/rates.csv alone, of another card"))
    for work in before:
        print(f"  {work}: {shown(before[work])} h before, {shown(now[work])} h now")
    assert works


def way(name, work, former):
    """Precision and compilation in which a work of the table was measured."""
    kind = work.split()[0]
    return OFF.get(kind, ("tf32", "none")) if former else ASKED.get(name, ASKED.get(kind, ("tf32", "none")))


def rates(measured, former=False):
    """The built-in rates, and over them those of this run."""
    found, named = built_in(), by_work(built_in())
    for name, (work, share) in RATES.items():
        if not isinstance(seconds := measured.get(name), float):
            continue
        precision, compilation = way(name, work, former)
        like = named[work, *OFF.get(work.split()[0], ("tf32", "none"))]
        # Guidance costs a thousandth of a step, so that a rate holds with it and without.
        for each in (work, f"{work} with CGS") if work.startswith("sample") else (work,):
            options = {"precision": precision, "compile": compilation}
            found.append(replace(like, work=each, seconds=seconds * share, **options))
    return found


def hours(stages, found, former=False):
    """Hours of each work of a study, as it is configured or, of a former version, as that computed it."""
    known, by = by_work(found), {}
    for one in price(stages, lambda stage: None, found):
        if one.options is not None:
            options = OFF.get(one.work.split()[0], ("tf32", "none")) if former else one.options
            rate = known.get((one.work, *options)) or scaled(one.work, options, known)
            by[one.work] = one.amount * rate.seconds / 3600 if rate else None
    return by
