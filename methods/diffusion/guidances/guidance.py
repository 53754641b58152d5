"""Guidance of a whole set of latents while it is denoised. A guidance sees latents, never the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ddbench.types import Preparation

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.context import SamplingContext


@dataclass(frozen=True)
class LatentSets:
    """The latents of several classes at one point of the sampling.

    latents: (K, N, C, H, W), the N latents of each of K classes, before or after a step; x0_hat: of their shape, the
    images that the step predicts for them; mean: (K, C, H, W), the mean latent of each class's real images; abar:
    alphas_cumprod at the noise level of ``latents`` (1 at the end); progress: share of the sampling steps done, in
    [0, 1]; before a step, it does not count yet.
    """

    latents: torch.Tensor
    x0_hat: torch.Tensor
    mean: torch.Tensor
    abar: float
    progress: float


class Guide:
    """What a steering does while sets are denoised; it may remember. It does nothing where a method is not defined."""

    def noise(self, sets: LatentSets, eps: torch.Tensor) -> torch.Tensor:
        """Before a step: the noise to step with instead of ``eps``, the predicted one, of the latents' shape."""
        return eps

    def correction(self, sets: LatentSets) -> torch.Tensor:
        """After a step: what to subtract from the latents, of their shape (K, N, C, H, W)."""
        import torch

        return torch.zeros_like(sets.latents)

    def finished(self, latents: torch.Tensor) -> None:
        """Is told the latents (K, N, C, H, W) that sampling ended with."""


@dataclass(frozen=True)
class Steering(ABC):
    """The options of whatever moves the latents of a class while they are denoised.

    For what learns from the real images, needs a preparation, remembers, or acts before a step: see ``mgd3`` and
    ``igd``. What is a function of the latents after a step alone is a ``Guidance``.
    """

    registered_as: ClassVar[str] = "guidance"

    def preparations(self, seed: int) -> tuple[Preparation, ...]:
        """Stages that must have run besides those of the model, ``apart`` from it; see ``SamplingContext.beside``."""
        return ()

    def networks(self) -> tuple[str, ...]:
        """Names of the registered networks that loading what was prepared needs."""
        return ()

    def together(self, ipc: int) -> int:
        """How many latents of a class are denoised at once; the next ones follow when these are finished."""
        return ipc

    def classes_at_once(self) -> int | None:
        """How many classes share a context at most; None is as many as the sampler's micro-batch holds."""
        return None

    @abstractmethod
    def begin(self, context: SamplingContext) -> Guide:
        """The guide of the classes of ``context``; whatever it remembers starts empty here."""


@dataclass(frozen=True)
class Guidance(Steering, Guide):
    """Something that moves the latents of a class together after each sampling step."""

    def begin(self, context: SamplingContext) -> Guide:
        return self

    @abstractmethod
    def correction(self, sets: LatentSets) -> torch.Tensor:
        """What to subtract from the latents, of their shape (K, N, C, H, W)."""
