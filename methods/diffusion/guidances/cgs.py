"""CGS: a set spread by its determinant and held to the mean of its class while it is denoised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ddbench.methods.diffusion.guidances.guidance import Guidance, LatentSets
from ddbench.types import Fraction, NonNegative, Positive

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class CGS(Guidance):
    """Collective guided sampling, the second stage of RSM + CGS (CVPR 2026): after each step
    Z <- Z - (eta_dpp grad L_dpp + eta_dm grad L_dm).

    L_dpp = -log det(K + epsilon I), K_ij = cos(z_i, z_j), spreads the set; L_dm = MSE(mean_i z_i, sqrt(abar) mu)
    holds its mean to that of the real class. Both gradients are taken after the step, at its noise level; what else
    the paper leaves open is an option.
    """

    eta_dpp: NonNegative = 100.0
    """30 to 300 in the paper, on latents of 4x32x32; the gradient shrinks with the length of a latent, so smaller
    images want less"""
    eta_dm: NonNegative = 100.0
    """30 to 300 in the paper; with the mean over D elements and N latents, a step moves the class mean by
    2 eta / (D N) of its error"""
    epsilon: Positive = 1e-3
    """on the diagonal of the kernel"""
    reduction: Literal["mean", "sum"] = "mean"
    """of the squared error of the mean over the elements of a latent; "MSE" in the paper, so mean"""
    kernel: Literal["z_t", "x0_hat"] = "z_t"
    """whose cosines: of the noisy latents, or of the images predicted for them (the network held fixed)"""
    window: tuple[Fraction, Fraction] = (0.0, 1.0)
    """share of the sampling between which the set is guided"""
    schedule: Literal["constant", "abar", "one_minus_abar"] = "constant"
    """factor on both etas: 1; abar, stronger towards the image; or 1 - abar, stronger towards the noise"""

    def __post_init__(self) -> None:
        if self.window[0] > self.window[1]:
            raise ValueError(f"window {self.window} ends before it begins")

    def correction(self, sets: LatentSets) -> torch.Tensor:
        import torch

        from ddbench.methods.diffusion.guidances.dpp import dpp_loss_and_gradient

        start, end = self.window
        if not start <= sets.progress <= end:
            return torch.zeros_like(sets.latents)
        factor = {"constant": 1.0, "abar": sets.abar, "one_minus_abar": 1 - sets.abar}[self.schedule]
        of = sets.latents if self.kernel == "z_t" else sets.x0_hat
        _, spread = dpp_loss_and_gradient(of.flatten(2), self.epsilon)
        if self.kernel == "x0_hat":
            spread = spread / max(sets.abar, 1e-12) ** 0.5  # d x0_hat / d z at fixed noise, equation 15 of DDPM
        return factor * (self.eta_dpp * spread.view_as(sets.latents) + self.eta_dm * self._mean_gradient(sets))

    def _mean_gradient(self, sets: LatentSets) -> torch.Tensor:
        """d L_dm / d z_i, the same for all i: 2 / (D N) * (mean_i z_i - sqrt(abar) mu), with D = 1 for a sum."""
        error = sets.latents.float().mean(1, keepdim=True) - sets.abar**0.5 * sets.mean[:, None]
        elements = sets.mean[0].numel() if self.reduction == "mean" else 1
        return (2 / (elements * sets.latents.shape[1]) * error).expand_as(sets.latents)
