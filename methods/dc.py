"""Dataset condensation by gradient matching (Zhao, Mopuri & Bilen, ICLR 2021): a network's gradients on synthetic
images become those on real ones, along the training of many networks.

For each class, with gradients g of the cross-entropy on real and s on synthetic images, SGD on the pixels minimises the
sum over layers and output units of 1 - <g, s> / (|g| |s|). Values follow VICO-UoE/DatasetCondensation (main.py,
utils.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ddbench import seeding
from ddbench.batches import batches
from ddbench.finite import check_loss
from ddbench.methods.embedder import Scaling
from ddbench.methods.real import draw
from ddbench.types import Count, Distiller, Fraction, LabeledImages, NonNegativeInt, Positive, StageContext

if TYPE_CHECKING:
    import torch

NORM_IMAGES = 16
"""real images a class that running statistics of batch norm are taken from, which are then fixed"""


@dataclass(frozen=True)
class DC(Distiller):
    """In each of ``iterations`` a network is drawn afresh; ``outer`` times the pixels take a step, and after each but
    the last the network is trained on them for ``inner`` epochs. Pixels are normalised by mean and standard deviation
    of each channel over the train images."""

    iterations: Count = 1001
    """freshly drawn networks: the source counts from 0 to 1,000"""
    outer: NonNegativeInt = 0
    """steps of the pixels for each network; 0: as the source, by IPC: 1 at 1, 10 at 10, ... 50 at 50"""
    inner: NonNegativeInt = 0
    """epochs of the network between two of them; 0: as the source, by IPC: 1 at 1, 50 at 10, 25 at 20, 10 at 50"""
    lr: Positive = 0.1
    """of the pixels, normalised"""
    momentum: Fraction = 0.5
    network_lr: Positive = 0.01
    """of the networks: SGD without momentum"""
    batch_real: Count = 256
    """real images of a class at each step, drawn without replacement: at most all of them"""
    batch_train: Count = 256
    """synthetic images in a batch of the network's training"""
    start: Literal["noise", "real"] = "noise"
    """pixels to begin with: a standard normal draw, or real images"""
    network: str = "convnet3"
    """drawn untrained"""

    def networks(self) -> tuple[str, ...]:
        return (self.network,)

    def distill(self, real: LabeledImages, state: Any, ipc: int, ctx: StageContext) -> LabeledImages:
        """Raises FloatingPointError, naming the iteration, when the loss is not finite."""
        import torch

        from ddbench import steps
        from ddbench.methods.gradients import GradientPasses

        scaling = Scaling.of(real.images, min_side=1)
        outer, inner = loops(ipc)
        outer, inner = self.outer or outer, self.inner or inner
        by_class = [(real.labels == k).nonzero()[:, 0] for k in range(len(real.classes))]
        ordered = sorted(range(len(real.classes)), key=lambda k: real.classes[k])
        synthetic = self._begun(real, scaling, ipc, ctx)
        shown = [synthetic[k] for k in ordered]  # in the order of outputs, which is that of the classes' names
        outputs = torch.arange(len(real.classes), device=ctx.device)
        mode = steps.mode(ctx.device)
        optimiser = steps.sgd(synthetic, mode, lr=self.lr, momentum=self.momentum)

        def fresh(iteration: int) -> torch.nn.Module:
            with seeding.seeded("dc-network", ctx.seed, iteration):
                network = ctx.networks[self.network](real.shape, len(real.classes))
            return network.to(ctx.device)

        def seen(at: int, found: Mapping[str, torch.Tensor]) -> None:
            where = f"iteration {at // outer + 1} of {self.iterations}"
            check_loss(float(found["loss"]), "dc's pixels", where, "lower dc.lr")

        passes, results = GradientPasses(mode, scaling, self.network_lr), steps.Results(mode, seen)
        passes.use(fresh(0))
        trained_on = [len(part) for part in batches(torch.arange(ipc * len(ordered)), self.batch_train)] * inner

        def draws() -> Iterator[dict[str, torch.Tensor]]:
            streams = [seeding.generator("dc", ctx.seed, name) for name in real.classes]
            order = seeding.generator("dc-order", ctx.seed)

            def drawn(k: int, count: int) -> torch.Tensor:
                return by_class[k][torch.randperm(len(by_class[k]), generator=streams[k])[:count]]

            for at in range(self.iterations * outer):
                if passes.norms:
                    yield {"images": real.images[torch.cat([drawn(k, NORM_IMAGES) for k in ordered])]}
                for k in ordered:
                    yield {"images": real.images[drawn(k, self.batch_real)]}
                for _ in range(inner if at % outer < outer - 1 else 0):
                    images = torch.randperm(ipc * len(ordered), generator=order)
                    yield from ({"index": index} for index in batches(images, self.batch_train))

        with seeding.seeded("dc-training", ctx.seed) as at, steps.read_ahead(draws(), mode) as batch:
            for iteration in range(self.iterations):
                if iteration:
                    passes.use(fresh(iteration))
                for step in range(outer):
                    at(iteration, step)
                    if passes.norms:
                        passes.fix_norms(next(batch)["images"])
                    distances = []
                    for output, mine in zip(outputs, shown, strict=True):  # one by one, so that memory does not grow
                        distance, mine.grad = passes.match(next(batch)["images"], output, mine)
                        distances.append(distance)
                    optimiser.step()
                    results.put(iteration * outer + step, {"loss": torch.stack(distances).sum()})
                    if step < outer - 1:
                        passes.show(shown)
                        for _ in trained_on:
                            passes.train(next(batch)["index"])
                ctx.progress(iteration + 1, self.iterations)
        results.settle()
        with torch.no_grad():
            named = zip(synthetic, real.classes, strict=True)
            images = torch.cat([scaling.levels(mine, [name] * ipc) for mine, name in named]).cpu()
        return LabeledImages(images, torch.arange(len(real.classes)).repeat_interleave(ipc), real.classes)

    def _begun(self, real: LabeledImages, scaling: Scaling, ipc: int, ctx: StageContext) -> list[torch.Tensor]:
        """A leaf for each class, (ipc, C, H, W)."""
        import torch

        if self.start == "real":
            chosen = draw(real, ipc, ctx.seed).split(ipc)
            begun = [scaling(real.images[mine], ctx.device) for mine in chosen]
        else:
            streams = (seeding.generator("dc-start", ctx.seed, name) for name in real.classes)
            begun = [torch.randn(ipc, *real.shape, generator=random).to(ctx.device) for random in streams]
        return [one.requires_grad_(True) for one in begun]


def loops(ipc: int) -> tuple[int, int]:
    """(outer, inner) of the source at 1, 10, 20, 30, 40 and 50 images a class; between them those of the next."""
    table = ((1, 1, 1), (10, 10, 50), (20, 20, 25), (30, 30, 20), (40, 40, 15), (50, 50, 10))
    return next(((outer, inner) for bound, outer, inner in table if ipc <= bound), table[-1][1:])
