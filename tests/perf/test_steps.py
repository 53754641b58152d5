"""Time of the training loops on a CPU, beside that of another checkout of this project: ratios below 1 are gains.

Both run in processes of their own, in turns, and are compared by the least processor time of a few runs, so that what
else the machine does counts little. The bytes that they make are compared too.

OMP_NUM_THREADS=1 BASELINE=/path/to/checkout pytest tests/perf/test_steps.py -s -o addopts=
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

WORK = """
import dataclasses, hashlib, sys, time
import torch
from ddbench.data.digits import Digits
from ddbench.evaluators.networks import convnet3_w32
from ddbench.evaluators.protocols import cpu_small_1, minimax_sgd_1
from ddbench.methods.diffusion.guidances.igd_surrogate import TrainedSurrogate
from ddbench.methods.diffusion.objectives.rsm import RSM
from ddbench.methods.diffusion.priors.scratch import ScratchPrior
from ddbench.methods.diffusion.training.finetune import FineTune
from ddbench.methods.diffusion.training.options import FineTuning, Training
from ddbench.methods.dm import DM
from ddbench.methods.embedder import TrainedEmbedder
from ddbench.types import LabeledImages, StageContext

torch.set_num_threads(1)
real, test = Digits().load("train"), Digits().load("test")
first = torch.cat([(real.labels == k).nonzero()[:10, 0] for k in range(10)])
small = LabeledImages(real.images[first], real.labels[first], real.classes)
colour = LabeledImages(small.images.repeat(1, 3, 1, 1), small.labels, small.classes)
ctx = StageContext(seed=0, networks={"net": convnet3_w32})
TRAINING = dict(batch=32, lr=0.002, betas=(0.9, 0.99))

def prior(n):
    model = ScratchPrior(width=64, layers=4, heads=2, training=Training(steps=n, **TRAINING)).run(real, None, ctx)
    return list(model.transformer.parameters())

def judge(protocol, data, n):
    protocol = dataclasses.replace(protocol, epochs_by_ipc=((10, n),), evaluations=1)
    return [torch.tensor(protocol.evaluate(data, data, convnet3_w32, ctx).correct)]

def dm(ipc, n):
    method = DM(iterations=n, batch_real=64, embedder="net", augmentations="color_crop_cutout_scale_rotate", lr=3)
    return [method.distill(real, None, ipc, ctx).images]

def surrogate(n):
    trained = TrainedSurrogate(network="net", epochs=n, checkpoints=(n,)).run(real, None, ctx)
    return list(trained.embedder.network.parameters())

LOOPS = {
    "digits prior": (prior, 30),
    "judge, convnet3-w32, AdamW": (lambda n: judge(cpu_small_1, small, n), 20),
    "judge, convnet3-w32, SGD and augmentation at 32 px": (
        lambda n: judge(dataclasses.replace(minimax_sgd_1, side=32), colour, n), 10),
    "embedder": (lambda n: list(TrainedEmbedder(network="net", epochs=n).run(real, None, ctx).network.parameters()), 2),
    "surrogate": (lambda n: surrogate(n), 2),
    "DM, IPC 1": (lambda n: dm(1, n), 12),
    "DM, IPC 10": (lambda n: dm(10, n), 12),
}

for line in sys.stdin:
    loop, n = LOOPS[line.strip()]
    loop(1)  # warm
    start = time.process_time()
    made = loop(n)
    seconds = time.process_time() - start
    digest = hashlib.sha256()
    for tensor in made:
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    print(seconds, digest.hexdigest()[:12], flush=True)
"""

NAMES = [
    "digits prior",
    "judge, convnet3-w32, AdamW",
    "judge, convnet3-w32, SGD and augmentation at 32 px",
    "embedder",
    "surrogate",
    "DM, IPC 1",
    "DM, IPC 10",
]


def link(root, tree):
    """Make the packages of a checkout importable from ``tree`` under their names."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    for package, folder in project["tool"]["setuptools"]["package-dir"].items():
        place = tree.joinpath(*package.split("."))
        place.mkdir(parents=True)
        for entry in (root / folder).iterdir():
            (place / entry.name).symlink_to(entry)


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """A process for each checkout, which runs the loop that it is told and says how long it took and what came out."""
    if not BASELINE:
        pytest.skip("BASELINE names no checkout to compare with")
    processes = []
    for number, root in enumerate((BASELINE, ROOT)):
        tree = tmp_path_factory.mktemp(f"side{number}")
        link(Path(root), tree)
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", WORK],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
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
