"""MGD3: each image of a class is drawn to a mode of its own while it is denoised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ddbench.methods.diffusion.guidances.guidance import Guide, Steering, Step
from ddbench.types import Count, Fraction, NonNegative, NonNegativeInt

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.context import SamplingContext
    from ddbench.methods.diffusion.sampler import Sampler


@dataclass(frozen=True)
class MGD3(Steering):
    """Mode guidance (ICML 2025): each image of a class is drawn to the centre of a cluster of its real latents.

    m_i, which image i follows, is the centre of cluster i of ``ipc`` by k-means. A guided DDPM step is
    x_{t-1} = mean + scale sigma (m_i - x0_hat) + sigma noise, with its own sigma = exp(log_variance / 2), learned or
    fixed. The paper writes the pull into the noise, as eps + scale sqrt(1 - abar) (m_i - x0_hat); this is what code
    that reproduces it runs (``p_sample_with_mode_guidance`` of AyushRoy2001/ManifoldGD), and its sign leads to the
    mode. Classifier-free guidance is 4 there, the sampler's ``guidance_scale``.
    """

    version: ClassVar[int] = 2
    """1: the pull was on the predicted noise"""
    scale: NonNegative = 0.1
    """lambda; 0.1 in the paper"""
    stop: Fraction = 0.5
    """share of the sampling before which a step is guided: while the respaced timestep is above 25 of 50 ("stop
    guidance"), the first 24 steps"""
    seed: NonNegativeInt | None = 0
    """of k-means: 0 in that code, so that all sets of a study share their modes; null takes the set's own seed"""
    n_init: Count | Literal["auto"] = "auto"
    """starts of k-means of which the best is kept; scikit-learn's ``auto`` is one for k-means++"""

    def check(self, sampler: Sampler) -> None:
        if sampler.kind != "ddpm":
            raise ValueError(
                "MGD3 moves the mean of a DDPM step by a share of the step's own standard deviation, which a DDIM step "
                "does not have: set sampler.kind=ddpm"
            )

    def begin(self, context: SamplingContext) -> Guide:
        import torch

        modes = [context.modes(name, self.seed, self.n_init) for name in context.names]
        return _Modes(self, torch.stack(modes))


class _Modes(Guide):
    """Draws latent i of each class to mode i: (K, ipc, C, H, W), all denoised at once."""

    def __init__(self, options: MGD3, modes: torch.Tensor) -> None:
        self.options, self.modes = options, modes

    def shift(self, step: Step) -> torch.Tensor:
        import torch

        if step.progress >= self.options.stop:
            return torch.zeros_like(step.mean)
        return self.options.scale * step.sigma * (self.modes.to(step.mean) - step.before.x0_hat)
