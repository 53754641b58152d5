"""A plug-in whose stages take milliseconds and misbehave on demand: a dataset, a network, a protocol, methods.

``TOY_FAULTS`` names what goes wrong and where, as ``kind=what`` separated by blanks; ``TOY_FOLDER`` remembers what has
happened, since every fault happens once. ``TOY_SLOW`` is how many seconds an evaluation takes.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ddbench import seeding
from ddbench.types import Dataset, Distiller, Evaluation, LabeledImages, Network, Preparation, Protocol


def fault(kind):
    """Do what ``TOY_FAULTS`` says of this kind of stage, once."""
    for said in os.environ.get("TOY_FAULTS", "").split():
        where, _, what = said.partition("=")
        if where == kind:
            try:
                Path(os.environ["TOY_FOLDER"], said).touch(exist_ok=False)
            except FileExistsError:
                continue
            print(f"about to {what}")
            if what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Toy(Dataset):
    """Three classes of grey noise."""

    name = "toy"
    side: int = 4

    @property
    def classes(self):
        return ("a", "b", "c")

    @property
    def shape(self):
        return (1, self.side, self.side)

    @property
    def split_name(self):
        return "all"

    def train_counts(self):
        return (8, 8, 8)

    def fingerprint(self, split):
        return "toy"

    def load(self, split, cache=None):
        import torch

        images = torch.randint(0, 256, (24, *self.shape), dtype=torch.uint8, generator=seeding.generator("toy", split))
        return LabeledImages(images=images, labels=torch.arange(3).repeat_interleave(8), classes=self.classes)


@dataclass(frozen=True)
class Linear(Network):
    """One layer."""

    def __call__(self, shape, num_classes):
        import torch

        return torch.nn.Linear(shape[0] * shape[1] * shape[2], num_classes)


@dataclass(frozen=True)
class Judge(Protocol):
    """The mean of the pixels for an accuracy."""

    honest: bool = True

    def evaluate(self, distilled, test, network, ctx):
        import torch

        fault("evaluate")
        time.sleep(float(os.environ.get("TOY_SLOW", "0")))
        if not self.honest:
            return Evaluation(curve=((1, float("nan")),), correct=(True,))
        random = seeding.generator("judge", ctx.seed, int(distilled.images.sum()))
        first, last = torch.rand(2, len(test), generator=random) < 0.5
        print("judged", len(distilled))
        curve = ((1, float(first.float().mean())), (2, float(last.float().mean())))
        return Evaluation(curve=curve, correct=tuple(last.tolist()))


@dataclass(frozen=True)
class Prepared(Preparation):
    """A number."""

    value: int = 1

    def run(self, real, before, ctx):
        fault(self.stage)
        return self.value + (before or 0)

    def save(self, state, folder):
        (folder / "state.txt").write_text(str(state))

    def load(self, folder, before, ctx):
        return int((folder / "state.txt").read_text())


@dataclass(frozen=True)
class Prior(Prepared):
    """The first number."""

    stage: ClassVar = "prior"


@dataclass(frozen=True)
class Fit(Prepared):
    """The sum of both."""

    stage: ClassVar = "fit"


@dataclass(frozen=True)
class Method(Distiller):
    """Real images, inverted by the state, or something worse."""

    way: str = "well"
    seconds: float = 0.0
    megabytes: int = 0

    def preparations(self, seed):
        return (Prior(), Fit())

    def distill(self, real, state, ipc, ctx):
        import torch

        fault("distill")
        if self.way == "hang":
            while True:
                time.sleep(0.05)
        if self.way == "stall":
            ctx.progress(1, 4)
            while True:
                time.sleep(0.05)
        if self.way == "memory":
            raise MemoryError("no more")
        if self.way == "exit":
            raise SystemExit(3)
        if self.way == "raise":
            raise ValueError("as asked")
        held = bytearray(self.megabytes << 20)
        held[::4096] = b"x" * len(held[::4096])
        draw = torch.randperm(8, generator=seeding.generator("toy-method", ctx.seed))[: ipc - (self.way == "few")]
        index = torch.cat([draw + 8 * label for label in range(3)])
        images = (real.images[index].int() * state % 256).to(torch.uint8)
        return LabeledImages(
            images=images / 0 if self.way == "nan" else images, labels=real.labels[index], classes=real.classes
        )


toy = Method()
"""as it should be"""
toy_hang = Method("hang")
"""never ends"""
toy_stall = Method("stall")
"""tells progress once and never ends"""
toy_memory = Method("memory")
"""runs out of memory"""
toy_exit = Method("exit")
"""leaves Python"""
toy_raise = Method("raise")
"""raises"""
toy_few = Method("few")
"""returns too few images"""
toy_nan = Method("nan")
"""returns no numbers"""
toy_large = Method(megabytes=300)
"""takes memory"""
linear = Linear()
"""one layer"""
judge = Judge()
"""a number for each distilled set"""
judge_nan = Judge(honest=False)
"""no number"""

METHODS = ("toy", "toy_hang", "toy_stall", "toy_memory", "toy_exit", "toy_raise", "toy_few", "toy_nan", "toy_large")
ENTRY_POINTS = (
    "[bench.methods]\n"
    + "".join(f"{name} = bench_toy:{name}\n" for name in METHODS)
    + "[bench.datasets]\ntoy = bench_toy:Toy\n[bench.archs]\ntoy-linear = bench_toy:linear\n"
    + "[bench.protocols]\ntoy@1 = bench_toy:judge\ntoy-nan@1 = bench_toy:judge_nan\n"
)

STUDY = """\
name: toy
grid:
  datasets: [toy]
  methods: [toy]
  ipc: [2]
  archs: [toy-linear]
  protocol: toy@1
  seeds: [0]
  eval_seeds: [0, 1]
"""
