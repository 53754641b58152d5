"""The gradients of IGD: of the distance between what a generated and real images teach a network, and of the likeness
to images that were generated before."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch.func import functional_call, grad, vmap

from ddbench.methods.diffusion.codec import Codec
from ddbench.methods.diffusion.guidances.guidance import LatentSets
from ddbench.methods.diffusion.guidances.igd_surrogate import Surrogate
from ddbench.methods.embedder import Scaling

Gradient = torch.Tensor
"""of a loss by all parameters of the surrogate, flat: (P,)"""

Weights = dict[str, torch.Tensor]
"""parameters and buffers of the surrogate by name"""

REAL_BATCH = 50
"""real images whose gradient is taken at once"""

VALUES = 3 * 256 * 256
"""of pixels of generated images whose gradients are taken side by side: an image of ImageNet, or hundreds of digits"""

SIGNED = Scaling((127.5,), (127.5,), 0)
"""grey levels to [-1, 1]: how the authors show images to the surrogate while sampling"""


class Influence:
    """The mean over checkpoints theta of D = 1 - cos(grad_theta L(x), g), g the mean gradient on real images of x's
    class and L the cross-entropy. Its descent makes an image train the network as the real ones do."""

    def __init__(
        self,
        surrogate: Surrogate,
        decoder: Codec,
        labels: Sequence[int],
        real: Sequence[torch.Tensor],
        similarity: Literal["cosine", "inner"] = "cosine",
        pixels: Literal["signed", "normalised"] = "signed",
    ) -> None:
        """``labels`` of the K classes of a context, and uint8 real images (M, C, H, W) of each."""
        self.surrogate, self.decoder, self.labels, self.similarity = surrogate, decoder, labels, similarity
        own = surrogate.embedder.scaling
        self.scaling = own if pixels == "normalised" else Scaling(SIGNED.mean, SIGNED.sd, own.min_side)
        self.real = [
            torch.stack([self._mean_gradient(weights, *of_class) for of_class in zip(real, labels, strict=True)])
            for weights in surrogate.checkpoints
        ]
        """for each checkpoint g of each class: (K, P)"""

    def gradient(self, sets: LatentSets) -> torch.Tensor:
        """dD / dz of each latent of ``sets``, (K, N, C, H, W): through the guided network, decoder and surrogate.

        The chain is cut at the latents and at the images. The network keeps the inputs of its blocks, 0.4 GiB an image
        for DiT-XL/2 in float32, while decoder and surrogate, 1 GiB at 256 px, take one image after the other
        (tests/perf/test_igd_memory.py).
        """
        with torch.enable_grad():
            z = sets.latents.detach().clone().requires_grad_(True)
            x0_hat = sets.predict(z).x0_hat
            classes = torch.arange(len(z)).repeat_interleave(z.shape[1])
            by_x0_hat = self.by_latent(x0_hat.detach().flatten(0, 1), classes).view_as(x0_hat)
            return torch.autograd.grad(x0_hat, z, by_x0_hat)[0]

    def by_latent(self, x0_hat: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """dD / dx0_hat of clean latents (B, C, H, W), whose classes are indices into the context's, int64 (B,)."""
        with torch.no_grad():
            levels = torch.cat([self._levels(one) for one in x0_hat.split(1)])
        by_level = self.by_level(levels, classes)
        found = []
        for one, gradient in zip(x0_hat.split(1), by_level.split(1), strict=True):
            with torch.enable_grad():
                latent = one.detach().clone().requires_grad_(True)
                found.append(torch.autograd.grad(self._levels(latent), latent, gradient)[0])
        return torch.cat(found)

    def by_level(self, levels: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """dD / dlevels of images (B, C, H, W) in grey levels, several side by side."""
        labels = torch.tensor([self.labels[k] for k in classes], device=levels.device)
        size = max(1, VALUES // levels[0].numel())
        total = torch.zeros_like(levels)
        for weights, real in zip(self.surrogate.checkpoints, self.real, strict=True):
            each = vmap(grad(partial(self._distance, weights)))
            parts = zip(levels.split(size), labels.split(size), real[classes].split(size), strict=True)
            total += torch.cat([each(*part) for part in parts])
        return total / len(self.real)

    def _levels(self, latents: torch.Tensor) -> torch.Tensor:
        """The images of latents, in grey levels 0 to 255, not rounded."""
        return (self.decoder.render(latents) + 1) * 127.5

    def _distance(self, weights: Weights, levels: torch.Tensor, label: torch.Tensor, real: Gradient) -> torch.Tensor:
        """1 - the cosine of the gradients on one image (C, H, W) and on the real images, or minus their product."""
        generated = self._gradient(weights, levels[None], label[None])
        if self.similarity == "inner":
            return -(generated @ real)
        return 1 - generated @ real / (generated.norm() * real.norm() + 1e-6)

    def _mean_gradient(self, weights: Weights, images: torch.Tensor, label: int) -> Gradient:
        labels = torch.full((REAL_BATCH,), label, device=self.surrogate.embedder.device)
        parts = images.split(REAL_BATCH)
        total = [self._gradient(weights, part, labels[: len(part)]) * len(part) for part in parts]
        return torch.stack(total).sum(0) / len(images)

    def _gradient(self, weights: Weights, images: torch.Tensor, labels: torch.Tensor) -> Gradient:
        """Of the mean cross-entropy of ``images`` (N, C, H, W), in grey levels 0 to 255, with ``labels`` (N,)."""
        embedder = self.surrogate.embedder
        seen = self.scaling(images, embedder.device)
        parameters = {name: weights[name] for name, _ in embedder.network.named_parameters()}

        def loss(parameters: Weights) -> torch.Tensor:
            logits = functional_call(embedder.network, {**weights, **parameters}, (seen,))
            return F.cross_entropy(logits, labels)

        return torch.cat([g.flatten() for g in grad(loss)(parameters).values()])


def nearest_cosine_gradient(x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """d max_j cos(x, m_j) / dx = (m/|m| - cos x/|x|) / |x| for the nearest m; x (C, H, W), memory (M, C, H, W)."""
    length = x.norm().clamp(min=1e-12)
    unit, others = x / length, F.normalize(memory.flatten(1), dim=1)
    cosines = others @ unit.flatten()
    nearest = cosines.argmax()
    return (others[nearest].view_as(x) - cosines[nearest] * unit) / length


def rms(x: torch.Tensor) -> torch.Tensor:
    """Root mean square of each latent, (..., C, H, W) -> (..., 1, 1, 1)."""
    return x.square().mean((-3, -2, -1), keepdim=True).sqrt()
