"""The two gradients of IGD, and the memory of what was generated."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch.func import functional_call, grad, vjp, vmap

from benchmark import seeding
from methods.diffusion.guidance import Guide, LatentSets
from methods.diffusion.igd_surrogate import Surrogate
from methods.embedder import FEATURE_BATCH

if TYPE_CHECKING:
    from methods.diffusion.igd import IGD
    from methods.diffusion.scene import Scene

Gradient = torch.Tensor
"""of a loss by all parameters of the surrogate, flat: (P,)"""

Weights = dict[str, torch.Tensor]
"""parameters and buffers of the surrogate by name"""

TOGETHER = 10
"""generated images of which gradients are computed side by side"""


class InfluenceGuide(Guide):
    """Guides the classes of one scene, each image on its own."""

    def __init__(self, options: IGD, scene: Scene, surrogate: Surrogate) -> None:
        self.options, self.scene, self.surrogate = options, scene, surrogate
        self.labels = [surrogate.embedder.classes.index(name) for name in scene.names]
        self.memory: list[list[torch.Tensor]] = [[] for _ in scene.names]
        """for each class the generated latents (C, H, W), the oldest first"""
        # Made outside of inference mode, so that gradients may flow through it.
        with torch.inference_mode(False), torch.enable_grad():
            self.real = [self._real_gradients(c) for c in surrogate.checkpoints] if options.k else []

    def correction(self, sets: LatentSets) -> torch.Tensor:
        start, end = self.options.window
        if not start <= sets.progress <= end:
            return torch.zeros_like(sets.latents)
        with torch.inference_mode(False), torch.enable_grad():
            x0_hat = sets.x0_hat.clone()  # what was made in inference mode has no gradient; its copy may
            moved = torch.zeros_like(x0_hat)
            if self.options.k:
                of_class = torch.arange(len(x0_hat)).repeat_interleave(x0_hat.shape[1])
                gradients = self.influence_gradients(x0_hat.flatten(0, 1), of_class)
                moved -= self.options.k * gradients.view_as(moved)
            for k, memory in enumerate(self.memory):
                if self.options.gamma and memory:
                    fled = [nearest_cosine_gradient(x, torch.stack(memory)) for x in x0_hat[k]]
                    moved[k] += self.options.gamma * torch.stack(fled)
        return (1 - sets.abar) ** 0.5 * moved

    def finished(self, latents: torch.Tensor) -> None:
        for memory, generated in zip(self.memory, latents, strict=True):
            memory.extend(generated)
            del memory[: max(0, len(memory) - self.options.memory)]

    def influence_gradients(self, x: torch.Tensor, of_class: torch.Tensor) -> torch.Tensor:
        """The gradient by each latent of ``x`` (B, C, H, W) of its influence on the class of the scene, an index in
        ``of_class`` (B,), that it is of."""
        parts = zip(x.split(TOGETHER), of_class.split(TOGETHER), strict=True)
        return torch.cat([self._influence_gradients(part, classes) for part, classes in parts])

    def _influence_gradients(self, x: torch.Tensor, of_class: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            levels = torch.cat([self._levels(one) for one in x.split(1)])
        by_level = self._by_level(levels, of_class)
        # Decoding keeps gigabytes an image for its gradient: it is done again, one image at a time.
        return torch.cat(
            [vjp(self._levels, one)[1](g)[0] for one, g in zip(x.split(1), by_level.split(1), strict=True)]
        )

    def _levels(self, x: torch.Tensor) -> torch.Tensor:
        """The images of latents, in grey levels 0 to 255, not rounded."""
        return (self.scene.decoder.render(x) + 1) * 127.5

    def _by_level(self, levels: torch.Tensor, of_class: torch.Tensor) -> torch.Tensor:
        """The gradient by each image (B, C, H, W) of its mean similarity over the checkpoints, all side by side."""
        labels = torch.tensor([self.labels[k] for k in of_class], device=levels.device)
        gradients = [
            vmap(grad(partial(self._similarity, checkpoint)))(levels, labels, real[of_class])
            for checkpoint, real in zip(self.surrogate.checkpoints, self.real, strict=True)
        ]
        return torch.stack(gradients).mean(0)

    def _similarity(
        self, checkpoint: Weights, levels: torch.Tensor, label: torch.Tensor, real: Gradient
    ) -> torch.Tensor:
        """Of the gradients on one image (C, H, W) and on the real images of its class."""
        generated = self._gradient(checkpoint, levels[None], label[None])
        if self.options.similarity == "cosine":
            return F.cosine_similarity(generated, real, dim=0)
        return generated @ real

    def _real_gradients(self, checkpoint: Weights) -> torch.Tensor:
        """The mean gradient over real images of each class of the scene: (K, P)."""
        means = []
        for label, name in zip(self.labels, self.scene.names, strict=True):
            images = self.scene.images(name)
            random = seeding.generator("igd-real", self.scene.ctx.seed, name)
            images = images[torch.randperm(len(images), generator=random)[: self.options.real_images]]
            parts = images.split(FEATURE_BATCH)
            labels = torch.full((len(parts[0]),), label, device=self.surrogate.embedder.device)
            total = [self._gradient(checkpoint, part, labels[: len(part)]) * len(part) for part in parts]
            means.append(torch.stack(total).sum(0) / len(images))
        return torch.stack(means)

    def _gradient(self, checkpoint: Weights, images: torch.Tensor, labels: torch.Tensor) -> Gradient:
        """Of the mean cross-entropy of ``images`` (N, C, H, W), in grey levels 0 to 255, with ``labels`` (N,)."""
        embedder = self.surrogate.embedder
        seen = embedder.scaling(images, embedder.device)
        parameters = {name: checkpoint[name] for name, _ in embedder.network.named_parameters()}

        def loss(parameters: Weights) -> torch.Tensor:
            logits = functional_call(embedder.network, {**checkpoint, **parameters}, (seen,))
            return F.cross_entropy(logits, labels)

        return torch.cat([g.flatten() for g in grad(loss)(parameters).values()])


def nearest_cosine_gradient(x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """d max_j cos(x, m_j) / dx = (m/|m| - cos x/|x|) / |x| for the nearest m; x (C, H, W), memory (M, C, H, W)."""
    length = x.norm().clamp(min=1e-12)
    unit, others = x / length, F.normalize(memory.flatten(1), dim=1)
    cosines = others @ unit.flatten()
    nearest = cosines.argmax()
    return (others[nearest].view_as(x) - cosines[nearest] * unit) / length
