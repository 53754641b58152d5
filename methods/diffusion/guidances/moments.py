"""Moments: CGS that also holds the spread of a set to that of its real class, or its parts to modes of the class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ddbench import seeding
from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.guidances.guidance import Guide, LatentSets, Step
from ddbench.types import Count, NonNegative

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.context import SamplingContext
    from ddbench.methods.diffusion.guidances.second_moment import Parts
    from ddbench.methods.diffusion.second_moments import Spread


@dataclass(frozen=True)
class Moments(CGS):
    """CGS with a second moment: g_t also has eta_spread grad L_spread, the squared error of the set's covariance.

    S = 1 / (N - 1) sum_i (z_i - m)(z_i - m)^T of the set is held to abar Sigma + (1 - abar) I, the covariance of the
    noised real class, as L_dm holds its mean m to sqrt(abar) mu; Sigma is kept as ``rank`` principal directions plus a
    diagonal. A set of one latent has no spread, so that the term is zero. Our own; the note on CGS names the first
    moment as a limit.
    """

    match: Literal["mean", "variance", "covariance"] = "covariance"
    """which second moments: none, which is CGS; the variance of each element; or the covariance"""
    eta_spread: NonNegative = 10.0
    """weight of the term; a step moves a deviation from the mean by 4 eta (S - C) / (D (N - 1)) of itself, so that it
    goes with D over the largest variance along a direction: 20 served digits, 12 would be its like at 3 x 32 x 32.
    Latents diverge where it is far too large; not searched for on latents of 4 x 32 x 32"""
    scope: Literal["directions", "span"] = "directions"
    """of a covariance. directions: along the leading principal directions of the real class, at most N - 1, which N
    latents can match. span: all of it, by the Frobenius norm, exactly in the span of the latents; N < D latents can
    only match it by shrinking towards the largest of these directions"""
    rank: Count = 10
    """principal directions of the real class that are kept"""
    modes: Count = 1
    """clusters of the real latents of a class by k-means, at most the IPC. With more than one, the images of a class
    are shared out among them by their sizes, and the mean term holds the mean of each part to its own cluster's"""

    def begin(self, context: SamplingContext) -> Guide:
        from ddbench.methods.diffusion.guidances.second_moment import parts_of
        from ddbench.methods.diffusion.second_moments import class_spread

        spread = class_spread(context, self.rank) if self.match != "mean" else None
        parts = None
        if self.modes > 1 and context.ipc > 1:
            seeds = [seeding.stream("moments-modes", context.ctx.seed, name) for name in context.names]
            latents = [context.latents(name) for name in context.names]
            parts = parts_of(latents, min(self.modes, context.ipc), context.ipc, seeds)
        return _Matching(self, spread, parts)


class _Matching(Guide):
    """Holds the classes of one context to their moments."""

    def __init__(self, options: Moments, spread: Spread | None, parts: Parts | None) -> None:
        self.options, self.spread, self.parts = options, spread, parts

    def shift(self, step: Step) -> torch.Tensor:
        return self.options.shift_by(self.gradient, step)

    def correction(self, sets: LatentSets) -> torch.Tensor:
        return self.options.correction_by(self.gradient, sets)

    def gradient(self, sets: LatentSets, x0_hat: torch.Tensor | None = None) -> torch.Tensor:
        options = self.options
        mean = options.mean_gradient(sets) if self.parts is None else self._parts_gradient(sets, self.parts)
        total = options.eta_dpp * options.spread_gradient(sets, x0_hat) + options.eta_dm * mean
        if self.spread is not None and options.eta_spread and sets.latents.shape[1] > 1:
            total = total + options.eta_spread * self._spread_gradient(sets, self.spread)
        return options.factor(sets) * total

    def _parts_gradient(self, sets: LatentSets, parts: Parts) -> torch.Tensor:
        from ddbench.methods.diffusion.guidances.second_moment import parts_loss_and_gradient

        _, gradient = parts_loss_and_gradient(sets.latents.flatten(2), parts.to(sets.latents), sets.abar)
        return gradient.view_as(sets.latents) / self.options.elements(sets)

    def _spread_gradient(self, sets: LatentSets, spread: Spread) -> torch.Tensor:
        from ddbench.methods.diffusion.guidances import second_moment

        which = second_moment.LOSSES["variance" if self.options.match == "variance" else self.options.scope]
        _, gradient = which(sets.latents.flatten(2), spread.to(sets.latents).noised(sets.abar))
        return gradient.view_as(sets.latents) / self.options.elements(sets)
