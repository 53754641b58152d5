"""Kernels: CGS whose diversity is measured in other spaces, the features of a trained network among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.guidances.guidance import Guide, LatentSets, Step
from ddbench.methods.diffusion.guidances.kernel_surrogate import NAME, KernelSurrogate
from ddbench.types import NonNegative, Preparation

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.context import SamplingContext
    from ddbench.methods.diffusion.guidances.features import Features


@dataclass(frozen=True)
class Kernels(CGS):
    """CGS with L_dpp = -log det(diag(q) (K + epsilon I) diag(q)), K the cosines of a set in a space of choice.

    q_i = p(class | image i) ^ quality by the surrogate is the quality of an image, as in a determinantal point process
    of qualities and similarities (Kulesza & Taskar 2012, section 3.1), so that L_dpp = -log det(K + epsilon I) - 2
    quality sum_i log p_i. Gradients by features pass through surrogate and decoder to the predicted image, and from it
    to the latent at fixed noise. Our own; the note on CGS names the latents of its kernel as a limit.

    The features of an autoencoder are what a latent prior predicts as its image, ``x0_hat``.
    """

    kernel: Literal["z_t", "x0_hat", "features"] = "features"  # type: ignore[assignment]
    """whose cosines: of the noisy latents, of the images that the network predicts for them, or of the surrogate's
    features of these images"""
    centre: bool = True
    """cosines of what is left when the mean of the real class is taken away, at the noise level of the latents, so that
    directions from the class's own centre are spread; features after a ReLU all point one way from zero"""
    quality: NonNegative = 0.0
    """exponent of the surrogate's confidence; 0 is none"""
    surrogate: KernelSurrogate = field(default_factory=KernelSurrogate)

    def preparations(self, seed: int) -> tuple[Preparation, ...]:
        return (self.surrogate,) if self.uses_surrogate else ()

    def networks(self) -> tuple[str, ...]:
        return self.surrogate.networks() if self.uses_surrogate else ()

    @property
    def uses_surrogate(self) -> bool:
        return self.kernel == "features" or self.quality > 0

    @property
    def on_x0_hat(self) -> bool:
        return self.kernel != "z_t" or self.quality > 0

    def begin(self, context: SamplingContext) -> Guide:
        from ddbench.methods.diffusion.guidances.features import Features

        if not self.uses_surrogate:
            return _Spread(self, None)
        return _Spread(self, Features(context.beside[NAME], context, self.kernel == "features" and self.centre))


class _Spread(Guide):
    """Spreads the sets of the classes of one context."""

    def __init__(self, options: Kernels, features: Features | None) -> None:
        self.options, self.features = options, features

    def shift(self, step: Step) -> torch.Tensor:
        return self.options.shift_by(self.gradient, step)

    def correction(self, sets: LatentSets) -> torch.Tensor:
        return self.options.correction_by(self.gradient, sets)

    def gradient(self, sets: LatentSets, x0_hat: torch.Tensor | None = None) -> torch.Tensor:
        options = self.options
        weighted = options.eta_dpp * self._spread_gradient(sets, x0_hat) + options.eta_dm * options.mean_gradient(sets)
        return options.factor(sets) * weighted

    def _spread_gradient(self, sets: LatentSets, x0_hat: torch.Tensor | None) -> torch.Tensor:
        """d L_dpp / dz: of a kernel on the latents at once, of anything else by x0_hat / sqrt(abar) at fixed noise."""
        import torch

        from ddbench.methods.diffusion.guidances.dpp import dpp_loss_and_gradient

        options = self.options
        if x0_hat is None or options.kernel == "z_t":
            mean = sets.abar**0.5 * sets.mean[:, None] if options.centre else 0.0
            _, spread = dpp_loss_and_gradient((sets.latents - mean).flatten(2), options.epsilon)
            total = spread.view_as(sets.latents)
        elif options.kernel == "x0_hat":
            mean = sets.mean[:, None] if options.centre else 0.0
            _, spread = dpp_loss_and_gradient((x0_hat - mean).flatten(2), options.epsilon)
            total = spread.view_as(x0_hat) / sets.abar**0.5
        else:
            total = torch.zeros_like(sets.latents)
        if self.features is None or x0_hat is None:
            return total
        epsilon = options.epsilon if options.kernel == "features" else None
        return total + self.features.gradient(x0_hat, epsilon, options.quality) / sets.abar**0.5
