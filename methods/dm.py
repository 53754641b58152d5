"""Distribution matching (Zhao & Bilen, WACV 2023): pixels whose mean embedding equals that of the real images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ddbench import seeding
from ddbench.methods.pixels import from_levels, to_levels
from ddbench.methods.real import draw
from ddbench.types import Count, Distiller, Fraction, LabeledImages, Positive, StageContext

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class DM(Distiller):
    """SGD on the pixels of a set that starts from real images. At each iteration a network is drawn afresh and,
    for each class, the squared distance between the mean embedding of augmented real and synthetic images falls."""

    iterations: Count = 20000
    """20,000 in the paper"""
    batch_real: Count = 256
    """real images of a class at each iteration, drawn with replacement"""
    lr: Positive = 1.0
    """on pixels scaled to [-1, 1]; 0.1 to 0.01 for BatchNorm or deeper embedders"""
    momentum: Fraction = 0.5
    embedder: str = "convnet3"
    """network drawn untrained at each iteration; its input to the head is the embedding"""
    augmentations: str = "color_crop_cutout_flip_scale_rotate"
    """DSA operations, joined by underscores; leave out what changes the class (flip, for digits)"""
    augment_with: Literal["one", "all"] = "one"
    """of the operations at each step: one drawn for the step, or all in order"""

    def networks(self) -> tuple[str, ...]:
        return (self.embedder,)

    def distill(self, real: LabeledImages, state: Any, ipc: int, ctx: StageContext) -> LabeledImages:
        """The real images stay uint8 where they are, perhaps a file mapped into memory: only the batch drawn for a
        class is converted and moved, so memory is that of one class's batch whatever the dataset."""
        import torch

        from ddbench.methods.dsa import Siamese

        augment = Siamese(tuple(self.augmentations.split("_")), self.augment_with)
        by_class = [(real.labels == k).nonzero()[:, 0] for k in range(len(real.classes))]
        start = draw(real, ipc, ctx.seed)
        # A leaf for each class: its gradient is as large as its own images, not as the whole set.
        synthetic = [_scaled(real.images[mine], ctx.device).requires_grad_(True) for mine in start.split(ipc)]
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
                drawn = members[torch.randint(len(members), (self.batch_real,), generator=random)]
                parameters = augment.draw(random, real.shape)
                with torch.no_grad():
                    batch = augment(_scaled(real.images[drawn], ctx.device), parameters)
                    target = network.features(batch).mean(0)  # type: ignore[operator]
                found = network.features(augment(mine, parameters)).mean(0)  # type: ignore[operator]
                # Backward for each class, so that memory does not grow with the number of classes.
                (found - target).square().sum().backward()
            optimiser.step()
            ctx.progress(iteration + 1, self.iterations)
        with torch.no_grad():
            images = to_levels(torch.cat(synthetic)).cpu()
        return LabeledImages(images=images, labels=real.labels[start], classes=real.classes)


def _scaled(images: torch.Tensor, device: str) -> torch.Tensor:
    """uint8, anywhere -> float32 in [-1, 1] on ``device``."""
    return from_levels(images.to(device))
