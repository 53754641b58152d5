"""CGS: a set spread by its determinant and held to the mean of its class while it is denoised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ddbench.methods.diffusion.guidances.guidance import Guidance, LatentSets, Step, check_window
from ddbench.types import Fraction, NonNegative, Positive

if TYPE_CHECKING:
    import torch

    Gradient = Callable[[LatentSets, torch.Tensor | None], torch.Tensor]
    """of the losses of a set by its latents; also given the images predicted for them, where the kernel needs those"""


@dataclass(frozen=True)
class CGS(Guidance):
    """Collaborative Guided Sampling, the second stage of RSM + CGS (CVPR 2026): after each DDPM or DDIM step
    Z_{t-1} <- Z_{t-1} - (eta_dpp grad L_dpp + eta_dm grad L_dm).

    L_dpp = -log det(K + epsilon I), K_ij = cos(z_i, z_j), spreads the set; L_dm = MSE(mean_i z_i, sqrt(abar) mu)
    holds its mean to that of the real class. What the paper leaves open is an option; docs/rsm-cgs.md lists it.
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
    place: Literal["after", "before"] = "after"
    """whose losses the gradients are of: of the latents Z_{t-1} that the step predicted, or of Z_t, which it left. Both
    are subtracted from Z_{t-1}"""
    kernel: Literal["z_t", "x0_hat"] = "z_t"
    """whose cosines: of the noisy latents of ``place``, or of the images that the network predicts for them; the
    gradient holds its noise fixed and passes over clipping. For those of Z_{t-1} it is asked once more, at twice the
    cost"""
    window: tuple[Fraction, Fraction] = (0.0, 1.0)
    """share of the sampling between which the set is guided"""
    schedule: Literal["constant", "abar", "one_minus_abar"] = "constant"
    """factor on both etas, at the noise level of ``place``: 1; abar, stronger towards the image; or 1 - abar, stronger
    towards the noise"""

    def __post_init__(self) -> None:
        check_window(self.window)

    def shift(self, step: Step) -> torch.Tensor:
        return self.shift_by(self.gradient, step)

    def correction(self, sets: LatentSets) -> torch.Tensor:
        return self.correction_by(self.gradient, sets)

    def shift_by(self, gradient: Gradient, step: Step) -> torch.Tensor:
        """What a ``gradient`` of the set adds to the mean of a step, where ``place`` and ``window`` say so."""
        import torch

        if self.place != "before" or not self._guided(step.progress):
            return torch.zeros_like(step.mean)
        return -gradient(step.before, step.before.x0_hat if self.on_x0_hat else None)

    def correction_by(self, gradient: Gradient, sets: LatentSets) -> torch.Tensor:
        """What a ``gradient`` of the set subtracts after a step, where ``place`` and ``window`` say so."""
        import torch

        if self.place != "after" or not self._guided(sets.progress):
            return torch.zeros_like(sets.latents)
        return gradient(sets, sets.predict(sets.latents).x0_hat if self.on_x0_hat else None)

    @property
    def on_x0_hat(self) -> bool:
        """Whether the gradient needs the images predicted for the latents at their own noise level."""
        return self.kernel == "x0_hat"

    def gradient(self, sets: LatentSets, x0_hat: torch.Tensor | None = None) -> torch.Tensor:
        """eta_dpp grad L_dpp + eta_dm grad L_dm by ``sets.latents``. The kernel is that of ``x0_hat``, the images
        predicted for them at their own noise level, or without any that of the latents."""
        weighted = self.eta_dpp * self.spread_gradient(sets, x0_hat) + self.eta_dm * self.mean_gradient(sets)
        return self.factor(sets) * weighted

    def factor(self, sets: LatentSets) -> float:
        """Of ``schedule``, at the noise level of ``sets``."""
        return {"constant": 1.0, "abar": sets.abar, "one_minus_abar": 1 - sets.abar}[self.schedule]

    def spread_gradient(self, sets: LatentSets, x0_hat: torch.Tensor | None = None) -> torch.Tensor:
        """d L_dpp / dz of the shape of the latents."""
        from ddbench.methods.diffusion.guidances.dpp import dpp_loss_and_gradient

        _, spread = dpp_loss_and_gradient((sets.latents if x0_hat is None else x0_hat).flatten(2), self.epsilon)
        if x0_hat is not None:
            spread = spread / sets.abar**0.5  # d x0_hat / d z at fixed noise, equation 15 of DDPM
        return spread.view_as(sets.latents)

    def mean_gradient(self, sets: LatentSets) -> torch.Tensor:
        """d L_dm / d z_i, the same for all i: 2 / (D N) * (mean_i z_i - sqrt(abar) mu), with D = 1 for a sum."""
        error = sets.latents.float().mean(1, keepdim=True) - sets.abar**0.5 * sets.mean[:, None]
        return (2 / (self.elements(sets) * sets.latents.shape[1]) * error).expand_as(sets.latents)

    def elements(self, sets: LatentSets) -> int:
        """What a squared error is divided by: the elements of a latent for a mean over them, 1 for a sum."""
        return sets.mean[0].numel() if self.reduction == "mean" else 1

    def _guided(self, progress: float) -> bool:
        return self.window[0] <= progress <= self.window[1]
