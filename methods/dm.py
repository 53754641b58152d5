"""Distribution matching (Zhao & Bilen, WACV 2023): pixels whose mean embedding equals that of the real images.

For a class with real images R and synthetic images S, a random network psi and one augmentation A for both, SGD on S
minimises |mean psi(A(R)) - mean psi(A(S))|^2. Values follow VICO-UoE/DatasetCondensation (main_DM.py, utils.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ddbench import seeding
from ddbench.methods.embedder import Scaling
from ddbench.methods.real import draw
from ddbench.types import Count, Distiller, Fraction, LabeledImages, Positive, StageContext


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
        class is converted and moved, so memory is that of one class's batch whatever the dataset."""
        import torch

        from ddbench.methods.dsa import Siamese

        augment = Siamese(tuple(self.augmentations.split("_")), self.augment_with)
        scaling = self._scaling(real)
        by_class = [(real.labels == k).nonzero()[:, 0] for k in range(len(real.classes))]
        start = draw(real, ipc, ctx.seed)
        # A leaf for each class: its gradient is as large as its own images, not as the whole set.
        synthetic = [scaling(real.images[mine], ctx.device).requires_grad_(True) for mine in start.split(ipc)]
        optimiser = torch.optim.SGD(synthetic, lr=self.lr, momentum=self.momentum)
        streams = [seeding.generator("dm", ctx.seed, name) for name in real.classes]

        for iteration in range(self.iterations):
            with seeding.seeded("dm-embedder", ctx.seed, iteration):
                network = ctx.networks[self.embedder](real.shape, len(real.classes))
            network.to(ctx.device).train()
            for parameter in network.parameters():
                parameter.requires_grad_(False)
            optimiser.zero_grad(set_to_none=True)
            for mine, members, random in zip(synthetic, by_class, streams, strict=True):
                drawn = members[torch.randperm(len(members), generator=random)[: self.batch_real]]
                parameters = augment.draw(random, real.shape)
                with torch.no_grad():
                    batch = augment(scaling(real.images[drawn], ctx.device), parameters)
                    target = network.features(batch).mean(0)  # type: ignore[operator]
                found = network.features(augment(mine, parameters)).mean(0)  # type: ignore[operator]
                # Backward for each class, so that memory does not grow with the number of classes.
                (found - target).square().sum().backward()
            optimiser.step()
            ctx.progress(iteration + 1, self.iterations)
        with torch.no_grad():
            images = torch.cat([scaling.levels(mine) for mine in synthetic]).cpu()
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
