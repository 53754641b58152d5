"""Guidance of whole sets of latents while they are denoised: what a guide sees of a step, and where it may act."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ddbench.types import Preparation

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.context import SamplingContext
    from ddbench.methods.diffusion.sampler import Sampler


class Predicted(NamedTuple):
    """What the network says of latents (K, N, C, H, W) with classifier-free guidance; both of their shape."""

    eps: torch.Tensor
    """the noise"""
    x0_hat: torch.Tensor
    """the image that this noise leaves, clipped where the sampler clips"""


def _no_network(latents: torch.Tensor) -> Predicted:
    raise RuntimeError("these latents come without a network: give LatentSets its field `predict`")


@dataclass(frozen=True)
class LatentSets:
    """The latents of several classes at one point of the sampling."""

    latents: torch.Tensor
    """(K, N, C, H, W), the N latents of each of K classes, before or after a step"""
    x0_hat: torch.Tensor
    """of their shape, the images that the step predicts. After a step these are still those predicted before it, at
    the noise level that it left"""
    mean: torch.Tensor
    """(K, C, H, W), the mean latent of each class's real images"""
    abar: float
    """alphas_cumprod at the noise level of ``latents``; 1 at the end"""
    progress: float
    """share of the sampling steps done, in [0, 1]; before a step, it does not count yet"""
    predict: Callable[[torch.Tensor], Predicted] = _no_network
    """What the network says of latents of this shape and at this noise level, one evaluation each time. Inside
    ``torch.enable_grad()`` it is differentiable by the latents, through classifier-free guidance, with the network's
    activations computed again in the backward pass. At the end there is no noise left to predict: x0_hat are the
    latents themselves"""


@dataclass(frozen=True)
class Step:
    """A step about to be taken: the next latents are ``mean`` + ``sigma`` * standard normal noise."""

    before: LatentSets
    """the latents that the step leaves; their x0_hat is the one that the step uses"""
    eps: torch.Tensor
    """the noise that the step uses, (K, N, C, H, W)"""
    mean: torch.Tensor
    """of the next latents, (K, N, C, H, W): of a DDPM step that of the posterior, of a DDIM step all but added noise"""
    sigma: torch.Tensor
    """standard deviation of the noise that is added, exp(log_variance / 2); broadcasts to ``mean``. 0 for DDIM unless
    its eta is more"""
    abar_next: float
    """alphas_cumprod at the noise level of the next latents"""
    progress: float
    """share of the sampling steps done once this one is taken: n / T for step n of T, counted from the noise, which
    visits the respaced timestep T - n"""


class Guide:
    """What a steering does while sets are denoised; it may remember. It does nothing where a method is not defined.

    For each step, in this order: ``times`` how often it is taken; ``noise`` another noise to take it with; ``shift``
    added to its mean, before its noise is; ``correction`` subtracted from the latents that it gave. In each of them
    the guide may ask ``LatentSets.predict`` for a differentiable prediction.
    """

    def times(self, progress: float) -> int:
        """How often the step is taken that brings the share of steps done to ``progress``: 1, or more. After each time
        but the last the latents are noised back to the level that the step left, with noise of their own."""
        return 1

    def noise(self, sets: LatentSets, eps: torch.Tensor) -> torch.Tensor:
        """Before a step: the noise to step with instead of ``eps``, the predicted one, of the latents' shape."""
        return eps

    def shift(self, step: Step) -> torch.Tensor:
        """What is added to the mean of a step, of its shape (K, N, C, H, W)."""
        import torch

        return torch.zeros_like(step.mean)

    def correction(self, sets: LatentSets) -> torch.Tensor:
        """After a step: what to subtract from the latents, of their shape (K, N, C, H, W)."""
        import torch

        return torch.zeros_like(sets.latents)

    def finished(self, latents: torch.Tensor) -> None:
        """Is told the latents (K, N, C, H, W) that sampling ended with."""


@dataclass(frozen=True)
class Steering(ABC):
    """The options of whatever moves the latents of a class while they are denoised.

    For what learns from the real images, needs a preparation, remembers, or acts on a step before its noise is added:
    see ``mgd3`` and ``igd``. What is a function of the latents after a step alone is a ``Guidance``.
    """

    registered_as: ClassVar[str] = "guidance"

    def check(self, sampler: Sampler) -> None:
        """Raise ValueError where this is not defined for what ``sampler`` does; asked before anything is run."""
        return

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

    def couples_classes(self) -> bool:
        """Whether the images of a class depend on those of others: then all classes are denoised at once, in one
        context, and the method is no longer separable by class. Their images still depend on no micro-batch."""
        return False

    @abstractmethod
    def begin(self, context: SamplingContext) -> Guide:
        """The guide of the classes of ``context``; whatever it remembers starts empty here."""


@dataclass(frozen=True)
class Guidance(Steering, Guide):
    """A guidance without memory: its options are its guide. It must say what to subtract after a step, and may act
    wherever a ``Guide`` may: ``sets.predict`` gives it a differentiable prediction at the sets' noise level, with
    classifier-free guidance, and ``shift`` changes the mean of a step before its noise is added. One that is not
    defined for every sampler refuses in ``check``."""

    def begin(self, context: SamplingContext) -> Guide:
        return self

    @abstractmethod
    def correction(self, sets: LatentSets) -> torch.Tensor:
        """What to subtract from the latents, of their shape (K, N, C, H, W)."""


def check_window(window: tuple[float, float]) -> None:
    """Raises ValueError for a window of the sampling that ends before it begins."""
    if window[0] > window[1]:
        raise ValueError(
            f"window {window} ends before it begins: its two shares of the sampling count from the noise (0) to the "
            f"image (1); write {(window[1], window[0])}"
        )
