"""Distribution matching (Zhao & Bilen, WACV 2023): pixels whose mean embedding equals that of the real images.

For a class with real images R and synthetic images S, a random network psi and one augmentation A for both, SGD on S
minimises |mean psi(A(R)) - mean psi(A(S))|^2. Values follow VICO-UoE/DatasetCondensation (main_DM.py, utils.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ddbench import seeding
from ddbench.finite import check_loss
from ddbench.methods.embedder import Scaling
from ddbench.methods.real import draw
from ddbench.types import Count, Distiller, Fraction, LabeledImages, Positive, StageContext

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class DM(Distiller):
    """SGD on the pixels of a set that starts from real images. At each iteration a network is drawn afresh and,
    for each class, the squared distance between the mean embeddings of augmented real and synthetic images falls.

    Pixels are normalised by mean and standard deviation of each channel over the train images, so that what crop,
    cutout, scale and rotate leave empty has the mean colour. Version 1 had pixels in [-1, 1], where a step of the same
    rate is several times larger in grey levels, and drew real images with replacement.
    """

    version: ClassVar[int] = 2

    iterations: Count = 20000
    """20,000 in the paper"""
    batch_real: Count = 256
    """real images of a class at each iteration, drawn without replacement: at most all of them"""
    lr: Positive = 1.0
    """on normalised pixels; 0.1 to 0.01 for BatchNorm or deeper embedders"""
    momentum: Fraction = 0.5
    embedder: str = "convnet3"
    """network drawn untrained at each iteration; its input to the head is the embedding"""
    augmentations: str = "color_crop_cutout_flip_scale_rotate"
    """DSA operations, joined by underscores; leave out what changes the class (flip, for digits)"""
    augment_with: Literal["one", "all"] = "one"
    """of the operations at each step: one drawn for the step, or all in order"""
    mean: tuple[float, ...] = ()
    """of each channel, in 0..255, to normalise by; (): that of the train images"""
    sd: tuple[Positive, ...] = ()
    """standard deviation of each channel, in 0..255, to normalise by; (): that of the train images. VICO has (51.6,
    50.8, 51.3) for CIFAR-10, a fifth below that of its train images"""

    def networks(self) -> tuple[str, ...]:
        return (self.embedder,)

    def distill(self, real: LabeledImages, state: Any, ipc: int, ctx: StageContext) -> LabeledImages:
        """The real images stay uint8 where they are, perhaps a file mapped into memory: only the batch drawn for a
        class is converted and moved, so memory is that of one class's batch whatever the dataset.

        A batch of one image, at ipc 1, has no variance for batch norm to divide by: there the images of all classes go
        through a network with batch norm together, as in VICO's code for such networks. Raises FloatingPointError,
        naming the iteration, when the loss is not finite.
        """
        import torch

        from ddbench.learning.dsa import Siamese

        augment = Siamese(tuple(self.augmentations.split("_")), self.augment_with)
        scaling = self._scaling(real)
        by_class = [(real.labels == k).nonzero()[:, 0] for k in range(len(real.classes))]
        start = draw(real, ipc, ctx.seed)
        # A leaf for each class: its gradient is as large as its own images, not as the whole set.
        synthetic = [scaling(real.images[mine], ctx.device).requires_grad_(True) for mine in start.split(ipc)]
        optimiser = torch.optim.SGD(synthetic, lr=self.lr, momentum=self.momentum)
        streams = [seeding.generator("dm", ctx.seed, name) for name in real.classes]

        smallest = min(ipc, self.batch_real, *map(len, by_class))
        with seeding.seeded("dm-network", ctx.seed) as at:
            for iteration in range(self.iterations):
                with seeding.seeded("dm-embedder", ctx.seed, iteration):
                    network = ctx.networks[self.embedder](real.shape, len(real.classes))
                network.to(ctx.device).train()
                for parameter in network.parameters():
                    parameter.requires_grad_(False)
                optimiser.zero_grad(set_to_none=True)
                losses = []
                for group in _groups(real.classes, together=smallest == 1 and _normalises_batches(network)):
                    at(iteration, *(real.classes[k] for k in group))
                    batch, made = [], []
                    for k in group:
                        random, members = streams[k], by_class[k]
                        drawn = members[torch.randperm(len(members), generator=random)[: self.batch_real]]
                        parameters = augment.draw(random, real.shape)
                        with torch.no_grad():
                            batch.append(augment(scaling(real.images[drawn], ctx.device), parameters))
                        made.append(augment(synthetic[k], parameters))
                    with torch.no_grad():
                        targets = _means(network, batch)
                    found = zip(_means(network, made), targets, strict=True)
                    distances = torch.stack([(mean - target).square().sum() for mean, target in found])
                    # Backward for each group, so that memory does not grow with the number of classes.
                    distances.sum().backward()
                    losses.append(distances.detach())
                optimiser.step()
                where = f"iteration {iteration + 1} of {self.iterations}"
                check_loss(float(torch.cat(losses).sum()), "dm's pixels", where, "lower dm.lr")
                ctx.progress(iteration + 1, self.iterations)
        with torch.no_grad():
            named = zip(synthetic, real.classes, strict=True)
            images = torch.cat([scaling.levels(mine, [name] * ipc) for mine, name in named]).cpu()
        return LabeledImages(images=images, labels=real.labels[start], classes=real.classes)

    def _scaling(self, real: LabeledImages) -> Scaling:
        """Raises ValueError when ``mean`` or ``sd`` are given for another number of channels."""
        for name, given in (("mean", self.mean), ("sd", self.sd)):
            if given and len(given) != real.shape[0]:
                raise ValueError(f"dm.{name} has {len(given)} values, the images have {real.shape[0]} channels")
        if self.mean and self.sd:
            return Scaling(self.mean, self.sd, min_side=1)
        own = Scaling.of(real.images, min_side=1)
        return Scaling(self.mean or own.mean, self.sd or own.sd, min_side=1)


def _groups(classes: tuple[str, ...], together: bool) -> list[list[int]]:
    """The classes, as indices, whose images go through the network at once: each alone, or all in order of name."""
    ordered = sorted(range(len(classes)), key=lambda k: classes[k])
    return [ordered] if together else [[k] for k in range(len(classes))]


def _normalises_batches(network: torch.nn.Module) -> bool:
    from torch.nn.modules.batchnorm import _BatchNorm

    return any(isinstance(module, _BatchNorm) for module in network.modules())


def _means(network: torch.nn.Module, batches: list[torch.Tensor]) -> list[torch.Tensor]:
    """The mean embedding of each of several batches that the network sees as one."""
    import torch

    features = network.features(torch.cat(batches))  # type: ignore[operator]
    return [part.mean(0) for part in features.split([len(batch) for batch in batches])]
