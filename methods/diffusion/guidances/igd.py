"""IGD: images that would train a network as the real images of their class do, and are unlike those made before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from ddbench import seeding
from ddbench.methods.diffusion.guidances.guidance import Guide, Steering, Step, check_window
from ddbench.methods.diffusion.guidances.igd_surrogate import NAME, TrainedSurrogate
from ddbench.types import Count, Fraction, NonNegative, NonNegativeInt, Preparation

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.context import SamplingContext
    from ddbench.methods.diffusion.guidances.igd_influence import Influence

STEP = 0.0015
"""rms of the influence step at k = 1, as a share of rms(eps) sqrt(1 - abar); a constant of the authors' sampler"""


@dataclass(frozen=True)
class IGD(Steering):
    """Influence-guided diffusion (ICLR 2025): towards images that train a network as the real ones of their class do.

    A guided step is x_{t-1} = mean + sigma noise - gamma g_D - k rho g_I, with both gradients by x_t, before the step.
    g_I is that of the distance D = 1 - cos between the gradient that the image predicted for x_t gives a surrogate and
    the mean gradient of real images of its class, averaged over checkpoints of the surrogate (TracIn, Pruthi et al.
    2020), through the guided network, the decoder and the surrogate. rho = 0.0015 rms(eps) / rms(g_I) sqrt(1 - abar_t)
    sets the length of its step. g_D is that of the largest cosine between x_t and the latents of the class generated
    before.

    The formula is that of the authors' sampler (``p_sample`` with gen_type igd), which
    Lokshaw-Chau/MinimaxDiffusion@3a9bbbd keeps, with DD_IGD's sample.py and sample_mp.sh. There the second row of the
    guidance batch, which carries other noise, is decoded as well and averaged into the image's gradient; here the image
    stands alone.
    """

    version: ClassVar[int] = 2
    """1: another window, gradients by the predicted image and with sigma, not normalised"""
    surrogate: TrainedSurrogate = field(default_factory=TrainedSurrogate)
    k: NonNegative = 5.0
    """influence factor; 5 or 10 in the paper"""
    gamma: NonNegative = 120.0
    """deviation factor; 100 to 120 in the paper, on latents of 4x32x32. The gradient of a cosine shrinks with the
    length of a latent, so that smaller ones want less"""
    window: tuple[Fraction, Fraction] = (0.1, 0.4)
    """share of the sampling, each step counted as done, between which is guided: steps 5 to 20 of 50 from the noise,
    which are the respaced timesteps 45 down to 30"""
    memory: NonNegativeInt = 64
    """latents of a class that are remembered, first in, first out"""
    repeat: Count = 1
    """how often a guided step is taken, noised back in between"""
    similarity: Literal["cosine", "inner"] = "cosine"
    """of two gradients: their cosine, whatever their lengths, or their inner product, which is TracIn's"""
    pixels: Literal["signed", "normalised"] = "signed"
    """what the surrogate sees while sampling: pixels in [-1, 1] as in the authors' sampler, although it was trained on
    normalised ones, or those"""
    real_images: Count = 200
    """of each class over which the real gradient is averaged, drawn by the seed; the authors' script takes the first"""
    at_once: Count = 1
    """images of a class that are made side by side, which do not see each other; one by one in the paper"""

    def __post_init__(self) -> None:
        check_window(self.window)

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
        from ddbench.methods.diffusion.guidances.igd_influence import Influence

        surrogate = context.beside[NAME]
        labels = [surrogate.embedder.classes.index(name) for name in context.names]
        real = [self._drawn(context, name) for name in context.names] if self.k else []
        influence = (
            Influence(surrogate, context.decoder, labels, real, self.similarity, self.pixels) if self.k else None
        )
        return _Influenced(self, influence, len(labels))

    def _drawn(self, context: SamplingContext, name: str) -> torch.Tensor:
        import torch

        images = context.images(name)
        random = seeding.generator("igd-real", context.ctx.seed, name)
        return images[torch.randperm(len(images), generator=random)[: self.real_images]]


class _Influenced(Guide):
    """Guides the classes of one context, each image on its own."""

    def __init__(self, options: IGD, influence: Influence | None, classes: int) -> None:
        self.options, self.influence = options, influence
        self.memory: list[list[torch.Tensor]] = [[] for _ in range(classes)]
        """for each class the generated latents (C, H, W), the oldest first"""

    def times(self, progress: float) -> int:
        return self.options.repeat if self._guided(progress) else 1

    def shift(self, step: Step) -> torch.Tensor:
        import torch

        from ddbench.methods.diffusion.guidances.igd_influence import nearest_cosine_gradient, rms

        moved = torch.zeros_like(step.mean)
        if not self._guided(step.progress):
            return moved
        sets = step.before
        for k, memory in enumerate(self.memory):
            if self.options.gamma and memory:
                likeness = [nearest_cosine_gradient(x, torch.stack(memory)) for x in sets.latents[k]]
                moved[k] -= self.options.gamma * torch.stack(likeness)
        if self.influence is not None:
            gradient = self.influence.gradient(sets)
            length = self.options.k * STEP * rms(step.eps) * (1 - sets.abar) ** 0.5
            moved -= length * gradient / rms(gradient).clamp(min=1e-30)
        return moved

    def finished(self, latents: torch.Tensor) -> None:
        for memory, generated in zip(self.memory, latents, strict=True):
            memory.extend(generated)
            del memory[: max(0, len(memory) - self.options.memory)]

    def _guided(self, progress: float) -> bool:
        return self.options.window[0] <= progress <= self.options.window[1]
