"""Between: CGS whose classes are denoised together, the means of confusable ones driven apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.guidances.guidance import LatentSets
from ddbench.types import Count, NonNegative

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Between(CGS):
    """CGS over all classes at once: g_t also has eta_between grad L_between, which repels the means of classes that are
    near each other.

    L_between = sum over pairs of confusable classes of cos(m_k - c, m_l - c), m_k the mean of the set of class k and c
    that of the real class means at the noise level. Confusable are a class and the ``neighbours`` classes whose real
    mean latents lie nearest to its own. Our own.
    """

    eta_between: NonNegative = 100.0
    """weight of the term"""
    neighbours: Count = 1
    """nearest classes by real mean latents that a class is driven away from; a pair counts once"""

    def couples_classes(self) -> bool:
        return self.eta_between > 0

    def gradient(self, sets: LatentSets, x0_hat: torch.Tensor | None = None) -> torch.Tensor:
        found = super().gradient(sets, x0_hat)
        if not self.eta_between or len(sets.latents) < 2:
            return found
        pairs = confusable(sets.mean.flatten(1), self.neighbours)
        centre = sets.abar**0.5 * sets.mean.flatten(1).mean(0)
        _, gradient = between_loss_and_gradient(sets.latents.flatten(2), centre, pairs)
        return found + self.factor(sets) * self.eta_between * gradient.view_as(sets.latents)


def confusable(means: torch.Tensor, neighbours: int) -> torch.Tensor:
    """(K, K) of 0 and 1, symmetric: 1 where one class is among the ``neighbours`` nearest of the other by ``means``
    (K, D)."""
    import torch

    # Differences and not products, so that the distance of a pair does not depend on which other classes there are.
    distance = (means[:, None] - means[None]).double().square().sum(-1)
    distance.fill_diagonal_(torch.inf)
    nearest = distance.argsort(dim=1, stable=True)[:, : min(neighbours, len(means) - 1)]
    near = torch.zeros_like(distance).scatter_(1, nearest, 1.0)
    return torch.maximum(near, near.mT).to(means)


def between_loss_and_gradient(
    latents: torch.Tensor, centre: torch.Tensor, pairs: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """L = sum_{k<l} w_kl cos(m_k - c, m_l - c) of the means m of the sets ``latents`` (K, N, D); c is ``centre`` (D,)
    and w the symmetric ``pairs`` (K, K).

    Returns L () and dL/dz (K, N, D), the same for all latents of a class: with v_k = m_k - c and u_k = v_k / |v_k|,
    dL/dv_k = (a_k - (a_k . u_k) u_k) / |v_k|, a_k = sum_l w_kl u_l, and dL/dz = dL/dv_k / N.
    """
    v = latents.mean(1) - centre
    length = v.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    u = v / length
    away = pairs @ u
    radial = (away * u).sum(-1, keepdim=True)
    gradient = (away - radial * u) / length / latents.shape[1]
    return radial.sum() / 2, gradient[:, None].expand_as(latents)
