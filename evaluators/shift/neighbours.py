"""Nearest neighbours: which part of a real class a set covers, and how close it comes to single train images."""

from __future__ import annotations

import torch

from ddbench.evaluators.shift.gram import Gram

ROWS = 256
"""train images that distances are taken to at once"""


def manifold(g: Gram, k: int) -> dict[str, float | None]:
    """Precision and recall (Kynkäänniemi et al., NeurIPS 2019), density and coverage (Naeem et al., ICML 2020).

    A ball around each image reaches to its k-th nearest other image of its own kind. precision: share of distilled
    images inside some real ball. recall: share of real images inside some distilled ball. density: number of real
    balls that hold a distilled image, divided by k, on average (can exceed 1). coverage: share of real balls that
    hold a distilled image. None where there are not more than k images to reach to.
    """
    apart = _distances(g.made.diagonal(), g.real.diagonal(), g.cross)
    found: dict[str, float | None] = dict.fromkeys(("precision", "recall", "density", "coverage"))
    if len(g.real) > k:
        inside = apart < _radii(g.real, k)
        found["precision"] = float(inside.any(1).double().mean())
        found["density"] = float(inside.sum(1).double().mean()) / k
        found["coverage"] = float(inside.any(0).double().mean())
    if len(g.made) > k:
        found["recall"] = float((apart < _radii(g.made, k)[:, None]).any(0).double().mean())
    return found


def nearest(
    queries: torch.Tensor, real: torch.Tensor, itself: torch.Tensor, kept: torch.Tensor, rows: int = ROWS
) -> torch.Tensor:
    """The distance of each query to the nearest of the real features, ``rows`` of these at a time.

    queries: (Q, D); real: (N, D), perhaps a file mapped into memory; itself: int64 (Q,), the row of ``real`` that a
    query is itself and that does not count, -1 for none; kept: bool (N,), the rows that count. -> float64 (Q,),
    infinite where nothing is left.
    """
    x = queries.double()
    x2 = x.square().sum(1)
    best = torch.full_like(x2, torch.inf)
    for start in range(0, len(real), rows):
        part = real[start : start + rows].double()
        distances = _distances(x2, part.square().sum(1), x @ part.mT)
        own = ((itself >= start) & (itself < start + len(part))).nonzero()[:, 0]
        distances[own, itself[own] - start] = torch.inf
        distances[:, ~kept[start : start + len(part)]] = torch.inf
        best = best.minimum(distances.amin(1))
    return best


def _distances(a2: torch.Tensor, b2: torch.Tensor, inner: torch.Tensor) -> torch.Tensor:
    """Distances from squared norms (a,), (b,) and inner products (a, b)."""
    return (a2[:, None] + b2 - 2 * inner).clamp(min=0).sqrt()


def _radii(inner: torch.Tensor, k: int) -> torch.Tensor:
    """The distance of each to its k-th nearest other, from inner products (n, n), n > k."""
    distances = _distances(inner.diagonal(), inner.diagonal(), inner).fill_diagonal_(torch.inf)
    return distances.kthvalue(k, dim=1).values
