"""Guidance of a whole set of latents while it is denoised. A guidance sees latents, never the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LatentSets:
    """The latents of several classes at one point of the sampling.

    latents: (K, N, C, H, W), the N latents of each of K classes after a step; x0_hat: of their shape, the images that
    the step predicted for them; mean: (K, C, H, W), the mean latent of each class's real images; abar: alphas_cumprod
    at the noise level of ``latents`` (1 at the end); progress: share of the sampling steps done, in (0, 1].
    """

    latents: torch.Tensor
    x0_hat: torch.Tensor
    mean: torch.Tensor
    abar: float
    progress: float


@dataclass(frozen=True)
class Guidance(ABC):
    """Something that moves the latents of a class together after each sampling step."""

    @abstractmethod
    def correction(self, sets: LatentSets) -> torch.Tensor:
        """What to subtract from the latents, of their shape (K, N, C, H, W)."""
