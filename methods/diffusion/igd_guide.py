"""The two gradients of IGD, and the memory of what was generated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch.func import functional_call

from benchmark import seeding
from methods.diffusion.guidance import Guide, LatentSets
from methods.diffusion.igd_surrogate import Surrogate
from methods.embedder import FEATURE_BATCH

if TYPE_CHECKING:
    from methods.diffusion.igd import IGD
    from methods.diffusion.scene import Scene

Gradient = torch.Tensor
"""of a loss by all parameters of the surrogate, flat: (P,)"""


class InfluenceGuide(Guide):
    """Guides the classes of one scene, each image on its own."""

    def __init__(self, options: IGD, scene: Scene, surrogate: Surrogate) -> None:
        self.options, self.scene, self.surrogate = options, scene, surrogate
        self.labels = [surrogate.embedder.classes.index(name) for name in scene.names]
        self.memory: list[list[torch.Tensor]] = [[] for _ in scene.names]
        """for each class the generated latents (C, H, W), the oldest first"""
        # Made outside of inference mode, so that gradients may flow through it.
        with torch.inference_mode(False), torch.enable_grad():
            self.real = [self._real_gradients(k) for k in range(len(scene.names))] if options.k else []

    def correction(self, sets: LatentSets) -> torch.Tensor:
        start, end = self.options.window
        if not start <= sets.progress <= end:
            return torch.zeros_like(sets.latents)
        with torch.inference_mode(False), torch.enable_grad():
            x0_hat = sets.x0_hat.clone()  # what was made in inference mode has no gradient; its copy may
            moved = torch.zeros_like(x0_hat)
            for k, of_class in enumerate(x0_hat):
                for i, x in enumerate(of_class):
                    if self.options.k:
                        moved[k, i] -= self.options.k * self.influence_gradient(x, k)
                    if self.options.gamma and self.memory[k]:
                        moved[k, i] += self.options.gamma * nearest_cosine_gradient(x, torch.stack(self.memory[k]))
        return (1 - sets.abar) ** 0.5 * moved

    def finished(self, latents: torch.Tensor) -> None:
        for memory, generated in zip(self.memory, latents, strict=True):
            memory.extend(generated)
            del memory[: max(0, len(memory) - self.options.memory)]

    def influence_gradient(self, x: torch.Tensor, k: int) -> torch.Tensor:
        """The gradient by the latent ``x`` (C, H, W) of its influence on class ``k`` of the scene."""
        x = x.detach().requires_grad_(True)
        levels = (self.scene.decoder.render(x[None]) + 1) * 127.5
        similarities = []
        for checkpoint, real in zip(self.surrogate.checkpoints, self.real[k], strict=True):
            generated = self._gradient(levels, self.labels[k], checkpoint, create_graph=True)
            if self.options.similarity == "cosine":
                similarities.append(F.cosine_similarity(generated, real, dim=0))
            else:
                similarities.append(generated @ real)
        (gradient,) = torch.autograd.grad(torch.stack(similarities).mean(), x)
        return gradient

    def _real_gradients(self, k: int) -> list[Gradient]:
        """The mean gradient over real images of class ``k`` at each checkpoint."""
        images = self.scene.images(self.scene.names[k])
        random = seeding.generator("igd-real", self.scene.ctx.seed, self.scene.names[k])
        images = images[torch.randperm(len(images), generator=random)[: self.options.real_images]]
        means = []
        for checkpoint in self.surrogate.checkpoints:
            parts = images.split(FEATURE_BATCH)
            total = [self._gradient(part, self.labels[k], checkpoint) * len(part) for part in parts]
            means.append(torch.stack(total).sum(0) / len(images))
        return means

    def _gradient(
        self, images: torch.Tensor, label: int, checkpoint: dict[str, torch.Tensor], create_graph: bool = False
    ) -> Gradient:
        """Of the mean cross-entropy of ``images`` (N, C, H, W), in grey levels 0 to 255, of one class."""
        embedder = self.surrogate.embedder
        names = [name for name, _ in embedder.network.named_parameters()]
        parameters = [checkpoint[name].detach().requires_grad_(True) for name in names]
        state = {**checkpoint, **dict(zip(names, parameters, strict=True))}
        logits = functional_call(embedder.network, state, (embedder.scaling(images, embedder.device),))
        loss = F.cross_entropy(logits, torch.full((len(images),), label, device=logits.device))
        gradients = torch.autograd.grad(loss, parameters, create_graph=create_graph)
        return torch.cat([g.flatten() for g in gradients])


def nearest_cosine_gradient(x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """d max_j cos(x, m_j) / dx = (m/|m| - cos x/|x|) / |x| for the nearest m; x (C, H, W), memory (M, C, H, W)."""
    length = x.norm().clamp(min=1e-12)
    unit, others = x / length, F.normalize(memory.flatten(1), dim=1)
    cosines = others @ unit.flatten()
    nearest = cosines.argmax()
    return (others[nearest].view_as(x) - cosines[nearest] * unit) / length
