"""Training loops on a card: captured steps give the bytes of eager ones, and the loops that can be are captured.

pytest tests/gpu/test_steps.py -s -o addopts= -o timeout=0
"""

import contextlib
import dataclasses
import time
from typing import ClassVar

import pytest
import torch

from ddbench import steps
from ddbench.evaluators.networks import convnet3, convnet3_w32, resnet18
from ddbench.evaluators.protocols import HardLabels, minimax_sgd_1, rded_1k_2
from ddbench.methods.dc import DC
from ddbench.methods.diffusion.guidances.igd_surrogate import TrainedSurrogate
from ddbench.methods.diffusion.objectives.rsm import RSM
from ddbench.methods.diffusion.priors.scratch import ScratchPrior
from ddbench.methods.diffusion.training.finetune import FineTune
from ddbench.methods.diffusion.training.options import FineTuning, Training
from ddbench.methods.dm import DM
from ddbench.methods.embedder import TrainedEmbedder
from ddbench.types import LabeledImages, StageContext
from tests.support.networks import RandomNetwork, weights

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no card")

PRIOR = ScratchPrior(width=64, layers=2, heads=2, training=Training(steps=40, batch=32, ema=0.99, warmup=10))


class Counted(steps.Steps):
    """Notes the runs of a loop."""

    runs: ClassVar = []

    def __post_init__(self):
        super().__post_init__()
        Counted.runs.append(self)

    @property
    def graphs(self):
        return sum(found.replay is not None for found in self._layouts.values())


@contextlib.contextmanager
def loops(monkeypatch, graphs):
    """Inside, loops on the card are captured, or not; gives the runs."""
    mode, Counted.runs = steps.mode, []
    with monkeypatch.context() as patch, torch.random.fork_rng(devices=[0]):
        patch.setattr(steps, "Steps", Counted)
        if not graphs:
            patch.setattr(steps, "mode", lambda device, graphs=True: mode(device, graphs=False))
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield Counted.runs
        finally:
            torch.use_deterministic_algorithms(False)


@pytest.fixture(autouse=True, scope="module")
def cublas():
    import os

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@pytest.fixture(scope="module")
def colours():
    """150 random RGB images of 32 px in five classes."""
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (150, 3, 32, 32), generator=random, dtype=torch.uint8)
    return LabeledImages(pixels, torch.arange(5).repeat(30), tuple("abcde"))


def context(network=convnet3_w32):
    return StageContext(seed=0, device="cuda", networks={"net": network})


def prior(data, tmp_path):
    return weights(PRIOR.run(data, None, context()).transformer)


def tuned(data, tmp_path):
    model = dataclasses.replace(PRIOR, training=Training(steps=2, batch=8)).run(data, None, context())
    options = FineTuning(steps=40, batch=8, ema=0.9, mirror=True, accumulate=2)
    return weights(FineTune(objective=RSM(), training=options).run(data, model, context()).transformer)


def embedder(data, tmp_path):
    training = TrainedEmbedder(network="net", epochs=8, batch=32)
    return weights(training.run(data, None, context()).network)


def surrogate(data, tmp_path):
    training = TrainedSurrogate(network="net", epochs=8, batch=32, checkpoints=(8,))
    return weights(training.run(data, None, context()).embedder.network)


def judge(data, protocol, network):
    built = []
    protocol.evaluate(data, data, lambda *a: built.append(network(*a)) or built[0], context())
    return weights(built[0])


def judged(data, tmp_path, network=convnet3):
    return judge(data, HardLabels(epochs_by_ipc=((1000, 12),), evaluations=3, batch=64), network)


def judged_resnet(data, tmp_path):
    return judged(data, tmp_path, resnet18)


def judged_by_sgd(data, tmp_path):
    return judge(data, dataclasses.replace(minimax_sgd_1, side=32, epochs_by_ipc=((1000, 12),)), convnet3_w32)


def judged_with_strips(data, tmp_path):
    options = {"augmentation": rded_1k_2.augmentation, "second_forward": True, "side": 32, "optimiser": "adamw"}
    return judge(data, dataclasses.replace(minimax_sgd_1, epochs_by_ipc=((1000, 12),), **options), convnet3_w32)


def judged_with_dropout(data, tmp_path):
    """Batch norm, dropout and a draw in the forward pass: the card's generator, seeded before each replay."""
    return judged(data, tmp_path, RandomNetwork())


def distilled(data, tmp_path):
    method = DM(iterations=12, batch_real=16, embedder="net", at_once=80)
    return method.distill(data, None, 3, context()).images


def condensed(data, tmp_path):
    method = DC(network="net", iterations=2, outer=4, inner=3, batch_real=16)
    return method.distill(data, None, 3, context()).images


LOOPS = [prior, tuned, embedder, surrogate, judged, judged_resnet, judged_by_sgd, judged_with_strips]
LOOPS += [judged_with_dropout, distilled, condensed]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_replayed_steps_give_the_bytes_of_eager_ones(colours, monkeypatch, tmp_path, loop):
    with loops(monkeypatch, graphs=True) as runs:
        found = loop(colours, tmp_path)
        assert not any(run.eager for run in runs)
        assert runs[-1].graphs >= 1
    with loops(monkeypatch, graphs=False) as runs:
        expected = loop(colours, tmp_path)
        assert runs[-1].graphs == 0
    assert torch.equal(found, expected)


@pytest.mark.parametrize("loop", [prior, judged, distilled], ids=lambda loop: loop.__name__)
def test_the_same_bytes_twice(colours, monkeypatch, tmp_path, loop):
    with loops(monkeypatch, graphs=True):
        assert torch.equal(loop(colours, tmp_path), loop(colours, tmp_path))


def test_a_step_that_cannot_be_captured_runs_eagerly_and_dropout_draws_afterwards():
    """A value is read: the capture fails, and the card's generator is free again."""
    weight = torch.zeros((), device="cuda")

    def step(batch):
        weight.add_(torch.nn.functional.dropout(batch["x"]).sum())
        return {"read": torch.full((), weight.item(), device="cuda")}

    run = steps.Steps(step, steps.mode("cuda"))
    with steps.read_ahead(({"x": torch.ones(4)} for _ in range(8)), run.mode) as drawn:
        for batch in drawn:
            run(batch)
    run.settle()
    assert run.eager
    torch.rand(3, device="cuda")


def test_a_loss_that_is_not_finite_names_its_first_step(colours):
    training = TrainedEmbedder(network="net", epochs=4, batch=32, lr=1e30)
    with pytest.raises(FloatingPointError, match=r"the loss of the embedder became \w+ at step [23] of 20"):
        training.run(colours, None, context())


def small_prior(data, n):
    grey = LabeledImages(data.images[:, :1, :8, :8].contiguous(), data.labels, data.classes)
    dataclasses.replace(PRIOR, layers=4, training=Training(steps=n, batch=32)).run(grey, None, context())


def small_judge(data, n):
    """Three steps an epoch."""
    protocol = HardLabels(epochs_by_ipc=((1000, n // 3),), evaluations=1, batch=64)
    protocol.evaluate(data, data, convnet3_w32, context())


def small_dm(data, n):
    DM(iterations=n, batch_real=30, embedder="net", at_once=150).distill(data, None, 10, context())


WORK = {
    "prior of 64 x 4, 16 tokens, batch 32": (small_prior, 600),
    "ConvNet-3 of width 32 at 32 px, batch 64": (small_judge, 600),
    "DM with that network, 5 classes, IPC 10": (small_dm, 60),
}


@pytest.mark.parametrize("name", WORK)
def test_time_of_a_step_captured_and_eager(name, colours, monkeypatch, capsys):
    """Printed, not asserted: the difference of a long and a short run, without what comes before the steps."""
    run, n = WORK[name]
    each = {}
    for graphs in (True, False):
        with loops(monkeypatch, graphs):
            times = []
            for steps_ in (n // 4, n // 4 + n):
                torch.cuda.synchronize()
                start = time.perf_counter()
                run(colours, steps_)
                torch.cuda.synchronize()
                times.append(time.perf_counter() - start)
        each[graphs] = 1e3 * (times[1] - times[0]) / n
    with capsys.disabled():
        print(
            f"\n{name}: {each[True]:.2f} ms a step captured, {each[False]:.2f} eager, {each[False] / each[True]:.1f}x"
        )
