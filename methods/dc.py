"""Dataset condensation by gradient matching (Zhao, Mopuri & Bilen, ICLR 2021): a network's gradients on synthetic
images become those on real ones, along the training of many networks.

For each class, with gradients g of the cross-entropy on real and s on synthetic images, SGD on the pixels minimises the
sum over layers and output units of 1 - <g, s> / (|g| |s|). Values follow VICO-UoE/DatasetCondensation (main.py,
utils.py).
"""

from __future__ import annotations

from collections.abc import Sequence
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

EPSILON = 1e-6
"""added to the product of norms"""
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

        scaling = Scaling.of(real.images, min_side=1)
        outer, inner = loops(ipc)
        outer, inner = self.outer or outer, self.inner or inner
        by_class = [(real.labels == k).nonzero()[:, 0] for k in range(len(real.classes))]
        ordered = sorted(range(len(real.classes)), key=lambda k: real.classes[k])
        streams = [seeding.generator("dc", ctx.seed, name) for name in real.classes]
        synthetic = self._begun(real, scaling, ipc, ctx)
        outputs = torch.arange(len(real.classes), device=ctx.device)  # the classes sorted by name
        optimiser = torch.optim.SGD(synthetic, lr=self.lr, momentum=self.momentum)
        order = seeding.generator("dc-order", ctx.seed)

        def drawn(k: int, count: int) -> torch.Tensor:
            index = by_class[k][torch.randperm(len(by_class[k]), generator=streams[k])[:count]]
            return scaling(real.images[index], ctx.device)

        with seeding.seeded("dc-training", ctx.seed) as at:
            for iteration in range(self.iterations):
                with seeding.seeded("dc-network", ctx.seed, iteration):
                    network = ctx.networks[self.network](real.shape, len(real.classes))
                network.to(ctx.device).train()
                own = torch.optim.SGD(network.parameters(), lr=self.network_lr)
                for step in range(outer):
                    at(iteration, step)
                    if norms := _batch_norms(network):
                        network.train()
                        with torch.no_grad():
                            network(torch.cat([drawn(k, NORM_IMAGES) for k in ordered]))
                        for norm in norms:
                            norm.eval()
                    optimiser.zero_grad(set_to_none=True)
                    total = 0.0
                    for output, k in zip(outputs, ordered, strict=True):
                        wanted = [g.detach() for g in _gradients(network, drawn(k, self.batch_real), output)]
                        found = _gradients(network, synthetic[k], output, again=True)
                        distance = gradient_distance(found, wanted)
                        distance.backward(inputs=[synthetic[k]])  # a class at a time, so that memory does not grow
                        total += float(distance.detach())
                    optimiser.step()
                    where = f"iteration {iteration + 1} of {self.iterations}"
                    check_loss(total, "dc's pixels", where, "lower dc.lr")
                    if step < outer - 1:
                        self._train(network, own, [synthetic[k].detach() for k in ordered], inner, order)
                ctx.progress(iteration + 1, self.iterations)
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

    def _train(
        self,
        network: torch.nn.Module,
        optimiser: torch.optim.Optimizer,
        synthetic: Sequence[torch.Tensor],
        epochs: int,
        order: torch.Generator,
    ) -> None:
        """Train the network on the synthetic images, as they are, a tensor for each class in the order of outputs."""
        import torch
        import torch.nn.functional as F

        network.train()
        images = torch.cat(list(synthetic))
        targets = torch.arange(len(synthetic), device=images.device).repeat_interleave(len(synthetic[0]))
        for _ in range(epochs):
            for index in batches(torch.randperm(len(images), generator=order), self.batch_train):
                here = index.to(images.device)
                optimiser.zero_grad(set_to_none=True)
                F.cross_entropy(network(images[here]), targets[here]).backward()
                optimiser.step()


def loops(ipc: int) -> tuple[int, int]:
    """(outer, inner) of the source at 1, 10, 20, 30, 40 and 50 images a class; between them those of the next."""
    table = ((1, 1, 1), (10, 10, 50), (20, 20, 25), (30, 30, 20), (40, 40, 15), (50, 50, 10))
    return next(((outer, inner) for bound, outer, inner in table if ipc <= bound), table[-1][1:])


def gradient_distance(found: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> torch.Tensor:
    """Sum over weights of two dimensions or more, and over their output units, of 1 - cosine of the gradients of that
    unit's weights (the paper's eq. 9; ``distance_wb`` in utils.py). Biases and norms do not count."""
    import torch

    total = torch.zeros((), device=found[0].device)
    for one, other in zip(found, wanted, strict=True):
        if one.ndim > 1:
            a, b = one.flatten(1), other.flatten(1)
            total = total + (1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + EPSILON)).sum()
    return total


def _gradients(
    network: torch.nn.Module, images: torch.Tensor, label: torch.Tensor, again: bool = False
) -> Sequence[torch.Tensor]:
    """Of the mean cross-entropy of images of one class by the network's weights; ``again``: differentiable."""
    import torch
    import torch.nn.functional as F

    loss = F.cross_entropy(network(images), label.expand(len(images)))
    return torch.autograd.grad(loss, list(network.parameters()), create_graph=again)


def _batch_norms(network: torch.nn.Module) -> list[torch.nn.Module]:
    from torch.nn.modules.batchnorm import _BatchNorm

    return [module for module in network.modules() if isinstance(module, _BatchNorm)]
