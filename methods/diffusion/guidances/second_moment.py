"""Squared errors of the moments of sets of latents, and their gradients in closed form.

No D x D matrix is made: the covariance S of N latents acts through their N x N Gram matrix, that of the real class
through its principal directions and a diagonal. With Z the centred latents, dS = (dZ^T Z + Z^T dZ) / (N - 1), so that a
loss of S with the symmetric derivative G by S has the gradient 2 / (N - 1) Z G; centring adds nothing, as the rows of Z
sum to zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ddbench.methods.diffusion.context import k_means
from ddbench.methods.diffusion.second_moments import Spread


def variance_loss_and_gradient(latents: torch.Tensor, target: Spread) -> tuple[torch.Tensor, torch.Tensor]:
    """L = sum_d (s_d - c_d)^2, s_d the unbiased variance of element d over a set and c_d that of ``target``.

    latents (K, N, D), N > 1. Returns L (K,) and dL/dz = 4 / (N - 1) (s - c) (z - m), (K, N, D).
    """
    z, n = _centred(latents)
    error = z.square().sum(1) / n - target.variance
    return error.square().sum(-1), 4 / n * error[:, None] * z


def directions_loss_and_gradient(latents: torch.Tensor, target: Spread) -> tuple[torch.Tensor, torch.Tensor]:
    """L = |U (S - C) U^T|_F^2 along the leading principal directions U of ``target``, as many as N - 1 at most.

    latents (K, N, D), N > 1. Returns L (K,) and dL/dz = 4 / (N - 1) P (P^T P / (N - 1) - U C U^T) U, P = Z U^T.
    """
    z, n = _centred(latents)
    along = target.directions[:, :n]
    p = z @ along.mT
    error = p.mT @ p / n - along @ target.apply(along).mT
    return error.square().sum((-2, -1)), 4 / n * (p @ error @ along)


def span_loss_and_gradient(latents: torch.Tensor, target: Spread) -> tuple[torch.Tensor, torch.Tensor]:
    """L = |S - C|_F^2 of the whole covariance, by the Gram matrix of the set.

    latents (K, N, D), N > 1. Returns L (K,) and dL/dz = 4 / (N - 1) (Z Z^T Z / (N - 1) - Z C), (K, N, D).
    """
    z, n = _centred(latents)
    gram, applied = z @ z.mT / n, target.apply(z)
    loss = gram.square().sum((-2, -1)) - 2 / n * (z * applied).sum((-2, -1)) + target.square()
    return loss, 4 / n * (gram @ z - applied)


LOSSES: dict[str, Callable[[torch.Tensor, Spread], tuple[torch.Tensor, torch.Tensor]]] = {
    "variance": variance_loss_and_gradient,
    "directions": directions_loss_and_gradient,
    "span": span_loss_and_gradient,
}


@dataclass(frozen=True)
class Parts:
    """The images of K classes shared out among the modes of their class."""

    member: torch.Tensor
    """(K, N, M), 1 where an image belongs to a mode, else 0"""
    means: torch.Tensor
    """(K, M, D), of the real latents of each mode"""

    def to(self, like: torch.Tensor) -> Parts:
        return Parts(self.member.to(like), self.means.to(like))


def parts_loss_and_gradient(latents: torch.Tensor, parts: Parts, abar: float) -> tuple[torch.Tensor, torch.Tensor]:
    """L = sum_m N_m / N |mean of part m - sqrt(abar) mu_m|^2; with one mode that of CGS.

    latents (K, N, D). Returns L (K,) and dL/dz_i = 2 / N (mean of i's part - sqrt(abar) mu of its mode), (K, N, D).
    """
    n = latents.shape[1]
    sizes = parts.member.sum(1)
    error = parts.member.mT @ latents / sizes.clamp(min=1)[..., None] - abar**0.5 * parts.means
    return (sizes[..., None] / n * error.square()).sum((-2, -1)), 2 / n * parts.member @ error


def parts_of(latents: Sequence[torch.Tensor], modes: int, images: int, seeds: Sequence[int]) -> Parts:
    """``images`` of each class shared out among ``modes`` clusters of its real latents (M, ...), by k-means.

    The largest remainders of the clusters' shares get the images that are left over; a mode without an image is empty.
    Raises ValueError when a class has fewer real images than modes.
    """
    member = torch.zeros(len(latents), images, modes)
    means = torch.zeros(len(latents), modes, latents[0][0].numel())
    for k, (real, seed) in enumerate(zip(latents, seeds, strict=True)):
        centres = k_means(real, modes, seed).flatten(1)
        nearest = torch.cdist(real.flatten(1).double(), centres.double()).argmin(1)
        counts = nearest.bincount(minlength=modes)
        owner = torch.tensor([m for m, n in enumerate(shared_out(images, counts.tolist())) for _ in range(n)])
        member[k, torch.arange(images), owner] = 1
        means[k] = centres
    return Parts(member, means)


def shared_out(images: int, counts: Sequence[int]) -> list[int]:
    """``images`` in proportion to ``counts``, in whole numbers: the largest remainders are rounded up."""
    exact = [images * count / sum(counts) for count in counts]
    found = [int(share) for share in exact]
    by_remainder = sorted(range(len(counts)), key=lambda m: (found[m] - exact[m], m))
    for m in by_remainder[: images - sum(found)]:
        found[m] += 1
    return found


def _centred(latents: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The latents without their mean, and N - 1."""
    return latents - latents.mean(1, keepdim=True), latents.shape[1] - 1
