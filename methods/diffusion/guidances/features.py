"""The determinantal loss of predicted images in the features of a network, and of its confidence in their class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from ddbench.methods.diffusion.guidances.dpp import dpp_loss_and_gradient
from ddbench.methods.embedder import Embedder

if TYPE_CHECKING:
    from ddbench.methods.diffusion.context import SamplingContext

VALUES = 3 * 256 * 256 * 4
"""of pixels that decoder and network see at once: four images of ImageNet, or thousands of digits"""


class Features:
    """Losses of the sets of K classes, by the clean latents that were predicted for them."""

    def __init__(self, embedder: Embedder, context: SamplingContext, centre: bool) -> None:
        """centre: take the mean feature of the real images of a class away from those of its set."""
        self.embedder, self.decoder = embedder, context.decoder
        self.labels = torch.tensor([embedder.classes.index(name) for name in context.names], device=embedder.device)
        self.centres: torch.Tensor | None = None
        """(K, F), of the real images of each class"""
        if centre:
            means = [embedder.features(context.images(name)).double().mean(0).float() for name in context.names]
            self.centres = torch.stack(means).to(embedder.device)

    def gradient(self, x0_hat: torch.Tensor, epsilon: float | None, quality: float) -> torch.Tensor:
        """d/dx0_hat of -log det(K + epsilon I) - 2 quality sum_i log p(class | image i), (K, N, C, H, W).

        epsilon: None leaves the determinant out. The chain is cut at the features, so that the set stays whole while
        decoder and network see a few images at a time.
        """
        flat = x0_hat.flatten(0, 1)
        labels = self.labels.repeat_interleave(x0_hat.shape[1])
        size = max(1, VALUES // self._pixels(flat[:1]).numel())
        by_feature: torch.Tensor | None = None
        if epsilon is not None:
            with torch.no_grad():
                features = torch.cat([self._features(part) for part in flat.split(size)])
            sets = features.unflatten(0, x0_hat.shape[:2])
            if self.centres is not None:
                sets = sets - self.centres[:, None]
            by_feature = dpp_loss_and_gradient(sets, epsilon)[1].flatten(0, 1)
        found = []
        for start in range(0, len(flat), size):
            part = slice(start, start + size)
            found.append(
                self._back(flat[part], None if by_feature is None else by_feature[part], labels[part], quality)
            )
        return torch.cat(found).view_as(x0_hat)

    def _back(
        self, x0_hat: torch.Tensor, by_feature: torch.Tensor | None, labels: torch.Tensor, quality: float
    ) -> torch.Tensor:
        """The gradient by a few images, the one by their features given."""
        with torch.enable_grad():
            x = x0_hat.detach().clone().requires_grad_(True)
            seen = self._seen(x)
            loss = x.new_zeros(())
            if by_feature is not None:
                loss = loss + (self.embedder.network.features(seen).flatten(1) * by_feature).sum()  # type: ignore[operator]
            if quality:
                loss = loss + 2 * quality * F.cross_entropy(self.embedder.network(seen), labels, reduction="sum")
            return torch.autograd.grad(loss, x)[0]

    def _features(self, x0_hat: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.embedder.network.features(self._seen(x0_hat)).flatten(1)  # type: ignore[operator]
        return features

    def _seen(self, x0_hat: torch.Tensor) -> torch.Tensor:
        """What the network is shown of clean latents: their images in grey levels, not rounded, normalised."""
        return self.embedder.scaling(self._pixels(x0_hat), self.embedder.device)

    def _pixels(self, x0_hat: torch.Tensor) -> torch.Tensor:
        return (self.decoder.render(x0_hat) + 1) * 127.5
