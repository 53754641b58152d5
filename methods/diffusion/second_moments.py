"""The second moment of the real latents of a class, as low rank plus a diagonal, and those of a noised one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ddbench.keys import digest
from ddbench.methods.diffusion.context import SamplingContext


@dataclass(frozen=True)
class Spread:
    """The covariance of latents (C, H, W) of D elements in all, of K classes: U diag(values) U^T + diag(rest).

    The first r principal directions are kept; ``rest`` is what they leave of the variance of each element, so that the
    diagonal of the whole is exact. All float32.
    """

    directions: torch.Tensor
    """(K, r, D), orthonormal, the largest first"""
    values: torch.Tensor
    """(K, r), the variances along them"""
    rest: torch.Tensor
    """(K, D), never negative"""

    @property
    def variance(self) -> torch.Tensor:
        """Of each element: (K, D)."""
        return self.rest + torch.einsum("kr,krd->kd", self.values, self.directions**2)

    def noised(self, abar: float) -> Spread:
        """Of sqrt(abar) z + sqrt(1 - abar) noise: abar Sigma + (1 - abar) I."""
        return Spread(self.directions, abar * self.values, abar * self.rest + (1 - abar))

    def to(self, like: torch.Tensor) -> Spread:
        return Spread(self.directions.to(like), self.values.to(like), self.rest.to(like))

    def apply(self, vectors: torch.Tensor) -> torch.Tensor:
        """The covariance times ``vectors`` (K, N, D), in O(N D r) and without a D x D matrix."""
        along = torch.einsum("knd,krd->knr", vectors, self.directions) * self.values[:, None]
        return torch.einsum("knr,krd->knd", along, self.directions) + self.rest[:, None] * vectors

    def square(self) -> torch.Tensor:
        """The squared Frobenius norm: (K,)."""
        cross = torch.einsum("kr,krd,kd->k", self.values, self.directions**2, self.rest)
        return self.values.square().sum(-1) + 2 * cross + self.rest.square().sum(-1)


def class_spread(context: SamplingContext, rank: int) -> Spread:
    """Of the real latents of each class of ``context``, unbiased (M - 1); kept beside the class means in ``ctx.cache``,
    where there is one. At most M - 1 directions; zeros fill up those that a smaller class lacks."""
    return _stacked([_kept(context, name, rank) for name in context.names], rank)


def spread_of(latents: torch.Tensor, rank: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions (r, D), values (r,) and rest (D,) of latents (M, ...), r = min(rank, M - 1, D); in float64."""
    x = latents.flatten(1).double()
    x = x - x.mean(0)
    n = max(len(x) - 1, 1)
    # By the Gram matrix, M x M or D x D, whichever is smaller.
    wide = x.shape[1] > len(x)
    gram = x @ x.mT / n if wide else x.mT @ x / n
    values, vectors = torch.linalg.eigh(gram)
    kept = min(rank, len(x) - 1, x.shape[1])
    values, vectors = values.flip(0)[:kept].clamp(min=0), vectors.flip(1)[:, :kept]
    directions = (x.mT @ vectors / (values * n).sqrt().clamp(min=1e-12)).mT if wide else vectors.mT
    directions = torch.where(values[:, None] > 1e-12 * values[:1, None], directions, torch.zeros_like(directions))
    rest = (x.square().sum(0) / n - (values[:, None] * directions**2).sum(0)).clamp(min=0)
    return directions.float().numpy(), values.float().numpy(), rest.float().numpy()


def _kept(context: SamplingContext, name: str, rank: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cache, codec = context.ctx.cache, context.encoder
    if cache is None:
        return spread_of(context.latents(name), rank)
    key = "spread-" + digest([context.ctx.data, codec.identity(), name, rank])
    folder = cache(key, lambda folder: _write(folder, spread_of(context.latents(name), rank)))
    with np.load(folder / "spread.npz", allow_pickle=False) as kept:
        return kept["directions"], kept["values"], kept["rest"]


def _write(folder: Path, found: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    directions, values, rest = found
    np.savez(folder / "spread.npz", directions=directions, values=values, rest=rest)


def _stacked(found: list[tuple[np.ndarray, np.ndarray, np.ndarray]], rank: int) -> Spread:
    r = max(len(values) for _, values, _ in found)
    directions = torch.zeros(len(found), r, found[0][0].shape[1])
    values = torch.zeros(len(found), r)
    for k, (along, size, _) in enumerate(found):
        directions[k, : len(size)] = torch.from_numpy(along)
        values[k, : len(size)] = torch.from_numpy(size)
    return Spread(directions, values, torch.stack([torch.from_numpy(rest) for _, _, rest in found]))
