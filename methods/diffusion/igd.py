"""IGD: images that would train a network as the real images of their class do, and are unlike those made before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from benchmark.types import Count, Fraction, NonNegative, NonNegativeInt, Preparation
from methods.diffusion.guidance import Guide, Steering
from methods.diffusion.igd_surrogate import NAME, TrainedSurrogate

if TYPE_CHECKING:
    from methods.diffusion.scene import Scene


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

    def begin(self, scene: Scene) -> Guide:
        from methods.diffusion.igd_guide import InfluenceGuide

        return InfluenceGuide(self, scene, scene.beside[NAME])
