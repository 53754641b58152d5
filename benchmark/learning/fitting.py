"""Training a classifier on the real images: the one loop of embedders, surrogates and teachers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import torch
import torch.nn.functional as F

from ddbench import seeding, steps
from ddbench.batches import batches
from ddbench.finite import check_loss, check_weights
from ddbench.types import LabeledImages, Shape, StageContext

Draw = Callable[[int, Shape, torch.Generator], dict[str, torch.Tensor]]
"""(number of images, their shape, generator) -> the parameters of an augmentation by name, on the CPU"""
Inputs = Callable[[torch.Tensor, Mapping[str, torch.Tensor]], torch.Tensor]
"""(uint8 images on the device, what was drawn for them) -> the network's input"""


@dataclass(frozen=True)
class Fitting:
    """Cross-entropy on the labels of real images, in shuffled epochs."""

    name: str
    """in messages, and of the options that they name"""
    seed: int
    batch: int
    optimiser: torch.optim.Optimizer
    inputs: Inputs
    draw: Draw = lambda n, shape, random: {}
    rate: Callable[[int, int], float] | None = None
    """(step, steps) -> the learning rate; None: the optimiser's, constant"""
    streams: str = ""
    """first part of the names of the random streams, where it is not ``name``"""
    augmentation: str = "augmentation"
    """last part of the name of the stream that ``draw`` gets"""

    def epochs(
        self,
        network: torch.nn.Module,
        real: LabeledImages,
        epochs: int,
        mode: steps.Mode,
        ctx: StageContext,
    ) -> Iterator[dict[str, float]]:
        """Train ``network`` in place and give the mean loss and the train accuracy of each epoch after it.

        The images stay where they are, perhaps a file mapped into memory; a batch at a time is moved. Raises
        FloatingPointError, naming the step, when a loss or the weights after an epoch are not finite.
        """
        sizes = [len(part) for part in batches(torch.arange(len(real)), self.batch)]
        total = epochs * len(sizes)
        rate = steps.Rate(self.optimiser, mode) if self.rate else None
        streams, advice = self.streams or self.name, f"lower {self.name}.lr"
        losses: list[float] = []
        hits: list[int] = []

        def draws() -> Iterator[dict[str, torch.Tensor]]:
            order, random = (seeding.generator(f"{streams}-{x}", self.seed) for x in ("order", self.augmentation))
            at = 0
            for _ in range(epochs):
                for index in batches(torch.randperm(len(real), generator=order), self.batch):
                    drawn = self.draw(len(index), real.shape, random)
                    now = {"rate": steps.rate(self.rate(at, total))} if self.rate else {}
                    yield {"images": real.images[index], "labels": real.labels[index], **drawn, **now}
                    at += 1

        def step(batch: steps.Batch) -> dict[str, torch.Tensor]:
            if rate:
                rate.set(batch["rate"])
            logits = network(self.inputs(batch["images"], batch))
            loss = F.cross_entropy(logits, batch["labels"])
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            return {"loss": loss, "hits": (logits.argmax(1) == batch["labels"]).sum()}

        def seen(at: int, outputs: Mapping[str, torch.Tensor]) -> None:
            losses.append(float(outputs["loss"]))
            hits.append(int(outputs["hits"]))
            check_loss(losses[-1], f"the {self.name}", f"step {at + 1} of {total}", advice)

        run = steps.Steps(step, mode, seen)
        with steps.read_ahead(draws(), mode) as drawn:
            for _ in range(epochs):
                losses.clear()
                hits.clear()
                with seeding.seeded(f"{streams}-network", self.seed) as at:
                    for batch in islice(drawn, len(sizes)):
                        at(run.at)
                        run(batch)
                        ctx.progress(run.at, total)
                run.settle()
                check_weights(network.parameters(), f"the {self.name}", f"step {run.at} of {total}", advice)
                mean = sum(loss * n for loss, n in zip(losses, sizes, strict=True)) / len(real)
                yield {"loss": mean, "train_top1": sum(hits) / len(real)}
