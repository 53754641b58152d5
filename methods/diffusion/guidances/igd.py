"""IGD: images that would train a network as the real images of their class do, and are unlike those made before."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from ddbench import seeding
from ddbench.methods.diffusion.guidances.guidance import Guide, LatentSets, Steering
from ddbench.methods.diffusion.guidances.igd_surrogate import NAME, Surrogate, TrainedSurrogate
from ddbench.methods.embedder import FEATURE_BATCH
from ddbench.types import Count, Fraction, NonNegative, NonNegativeInt, Preparation

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.context import SamplingContext

    Gradient = torch.Tensor
    """of a loss by all parameters of the surrogate, flat: (P,)"""

    Weights = dict[str, torch.Tensor]
    """parameters and buffers of the surrogate by name"""

TOGETHER = 10
"""generated images of which gradients are computed side by side"""


@dataclass(frozen=True)
class IGD(Steering):
    """Influence-guided diffusion (ICLR 2025): towards images that train a network as the real ones of their class do.

    After each step z <- z - sigma_t (k g_I + gamma g_D), sigma_t = sqrt(1 - abar_t) at the noise level that the step
    arrives at, both gradients by the image x0_hat that it predicted, with the diffusion model held fixed.

    g_I is that of minus the influence: over checkpoints theta_e of a surrogate, the mean similarity between the
    gradient by theta_e of the loss on the decoded x0_hat and the mean gradient on real images of the class (TracIn,
    Pruthi et al. 2020). g_D is that of the largest cosine between x0_hat and the latents of the class that were
    generated before, the last ``memory`` of them. How the two are scaled, the noise level of the gradients and the
    order in which images are made are not settled by the paper's text alone; they are written down here.
    """

    surrogate: TrainedSurrogate = field(default_factory=TrainedSurrogate)
    k: NonNegative = 5.0
    """influence factor; 5 or 10 in the paper, on 4x32x32 latents"""
    gamma: NonNegative = 120.0
    """deviation factor; 100 to 120 in the paper. The gradient of a cosine shrinks with the length of a latent, so that
    smaller images want less"""
    window: tuple[Fraction, Fraction] = (0.6, 0.9)
    """share of the sampling between which is guided: steps 30 to 45 of 50 in the paper, counted here from the noise.
    If its steps are counted as timesteps are, from the image, the same range is (0.1, 0.4)"""
    memory: NonNegativeInt = 64
    """latents of a class that are remembered, first in, first out"""
    similarity: Literal["cosine", "inner"] = "cosine"
    """of two gradients: their cosine, whatever their lengths, or their inner product, which is TracIn's"""
    real_images: Count = 200
    """of each class over which the real gradient is averaged, drawn by the seed; 200 in the authors' script, the first
    ones there"""
    at_once: Count = 1
    """images of a class that are made side by side, which do not see each other; one by one in the paper"""

    def __post_init__(self) -> None:
        if self.window[0] > self.window[1]:
            raise ValueError(f"window {self.window} ends before it begins")

    def preparations(self, seed: int) -> tuple[Preparation, ...]:
        return (self.surrogate,)

    def networks(self) -> tuple[str, ...]:
        return self.surrogate.networks()

    def together(self, ipc: int) -> int:
        return min(self.at_once, ipc)

    def classes_at_once(self) -> int | None:
        """Ten: gradients by all weights are kept for each class and checkpoint."""
        return 10

    def begin(self, context: SamplingContext) -> Guide:
        return _Influence(self, context, context.beside[NAME])


class _Influence(Guide):
    """Guides the classes of one context, each image on its own."""

    def __init__(self, options: IGD, context: SamplingContext, surrogate: Surrogate) -> None:
        import torch

        self.options, self.context, self.surrogate = options, context, surrogate
        self.labels = [surrogate.embedder.classes.index(name) for name in context.names]
        self.memory: list[list[torch.Tensor]] = [[] for _ in context.names]
        """for each class the generated latents (C, H, W), the oldest first"""
        # Made outside of inference mode, so that gradients may flow through it.
        with torch.inference_mode(False), torch.enable_grad():
            self.real = [self._real_gradients(c) for c in surrogate.checkpoints] if options.k else []

    def correction(self, sets: LatentSets) -> torch.Tensor:
        import torch

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
        """The gradient by each latent of ``x`` (B, C, H, W) of its influence on the class of the context, an index in
        ``of_class`` (B,), that it is of."""
        import torch

        parts = zip(x.split(TOGETHER), of_class.split(TOGETHER), strict=True)
        return torch.cat([self._influence_gradients(part, classes) for part, classes in parts])

    def _influence_gradients(self, x: torch.Tensor, of_class: torch.Tensor) -> torch.Tensor:
        import torch
        from torch.func import vjp

        with torch.no_grad():
            levels = torch.cat([self._levels(one) for one in x.split(1)])
        by_level = self._by_level(levels, of_class)
        # Decoding keeps gigabytes an image for its gradient: it is done again, one image at a time.
        return torch.cat(
            [vjp(self._levels, one)[1](g)[0] for one, g in zip(x.split(1), by_level.split(1), strict=True)]
        )

    def _levels(self, x: torch.Tensor) -> torch.Tensor:
        """The images of latents, in grey levels 0 to 255, not rounded."""
        return (self.context.decoder.render(x) + 1) * 127.5

    def _by_level(self, levels: torch.Tensor, of_class: torch.Tensor) -> torch.Tensor:
        """The gradient by each image (B, C, H, W) of its mean similarity over the checkpoints, all side by side."""
        import torch
        from torch.func import grad, vmap

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
        import torch.nn.functional as F

        generated = self._gradient(checkpoint, levels[None], label[None])
        if self.options.similarity == "cosine":
            return F.cosine_similarity(generated, real, dim=0)
        return generated @ real

    def _real_gradients(self, checkpoint: Weights) -> torch.Tensor:
        """The mean gradient over real images of each class of the context: (K, P)."""
        import torch

        means = []
        for label, name in zip(self.labels, self.context.names, strict=True):
            images = self.context.images(name)
            random = seeding.generator("igd-real", self.context.ctx.seed, name)
            images = images[torch.randperm(len(images), generator=random)[: self.options.real_images]]
            parts = images.split(FEATURE_BATCH)
            labels = torch.full((len(parts[0]),), label, device=self.surrogate.embedder.device)
            total = [self._gradient(checkpoint, part, labels[: len(part)]) * len(part) for part in parts]
            means.append(torch.stack(total).sum(0) / len(images))
        return torch.stack(means)

    def _gradient(self, checkpoint: Weights, images: torch.Tensor, labels: torch.Tensor) -> Gradient:
        """Of the mean cross-entropy of ``images`` (N, C, H, W), in grey levels 0 to 255, with ``labels`` (N,)."""
        import torch
        import torch.nn.functional as F
        from torch.func import functional_call, grad

        embedder = self.surrogate.embedder
        seen = embedder.scaling(images, embedder.device)
        parameters = {name: checkpoint[name] for name, _ in embedder.network.named_parameters()}

        def loss(parameters: Weights) -> torch.Tensor:
            logits = functional_call(embedder.network, {**checkpoint, **parameters}, (seen,))
            return F.cross_entropy(logits, labels)

        return torch.cat([g.flatten() for g in grad(loss)(parameters).values()])


def nearest_cosine_gradient(x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """d max_j cos(x, m_j) / dx = (m/|m| - cos x/|x|) / |x| for the nearest m; x (C, H, W), memory (M, C, H, W)."""
    import torch.nn.functional as F

    length = x.norm().clamp(min=1e-12)
    unit, others = x / length, F.normalize(memory.flatten(1), dim=1)
    cosines = others @ unit.flatten()
    nearest = cosines.argmax()
    return (others[nearest].view_as(x) - cosines[nearest] * unit) / length
