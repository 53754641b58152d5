"""MGD3: each image of a class is drawn to a mode of its own while it is denoised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ddbench.methods.diffusion.guidances.guidance import Guide, LatentSets, Steering
from ddbench.types import Fraction, NonNegative

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.context import SamplingContext


@dataclass(frozen=True)
class MGD3(Steering):
    """Mode guidance (ICML 2025): each image of a class is drawn to the centre of a cluster of its real latents.

    m_i, which image i follows, is the centre of cluster i of ``ipc`` by k-means. Until sampling is ``stop`` done, a
    step uses eps_hat = eps - scale sigma_t (m_i - x0_hat), sigma_t = sqrt(1 - abar_t). The paper also sets
    classifier-free guidance to 4, which is the sampler's ``guidance_scale``.
    """

    scale: NonNegative = 0.1
    """lambda; 0.1 in the paper"""
    stop: Fraction = 0.5
    """share of the sampling steps that are guided: 25 of 50 in the paper ("stop guidance")"""
    direction: Literal["towards", "as_written"] = "towards"
    """The paper writes eps + scale sigma_t (m_i - x0_hat). With the usual x_t = sqrt(abar) x0 + sqrt(1 - abar) eps,
    more noise means less image, so that the plus drives x0_hat away from the mode; towards it is the minus, as in
    classifier guidance (Dhariwal & Nichol 2021, algorithm 2) with the log-density -|m_i - x0_hat|^2 / 2"""

    def begin(self, context: SamplingContext) -> Guide:
        import torch

        return _Modes(self, torch.stack([context.modes(name) for name in context.names]))


class _Modes(Guide):
    def __init__(self, options: MGD3, modes: torch.Tensor) -> None:
        self.options, self.modes = options, modes

    def noise(self, sets: LatentSets, eps: torch.Tensor) -> torch.Tensor:
        if sets.progress >= self.options.stop:
            return eps
        pull = self.options.scale * (1 - sets.abar) ** 0.5 * (self.modes.to(eps) - sets.x0_hat)
        return eps - pull if self.options.direction == "towards" else eps + pull
