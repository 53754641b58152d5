"""Inner products of a class's features, from which every measure of that class follows.

A ConvNet has 100,352 features at 224 px: no D x D matrix is ever made, and only a block of columns is held in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

COLUMNS = 4096
"""features in float64 at once"""


@dataclass(frozen=True)
class Gram:
    """Inner products, float64, of m distilled and n real features of one class, around the mean of the real ones.

    made: (m, m); cross: (m, n); real: (n, n); cosines: (m, m), of the distilled features as they are, not centred.
    """

    made: torch.Tensor
    cross: torch.Tensor
    real: torch.Tensor
    cosines: torch.Tensor


def gram(made: torch.Tensor, real: torch.Tensor, columns: int = COLUMNS) -> Gram:
    """The inner products of ``made`` (m, D) and ``real`` (n, D), ``columns`` features at a time.

    Centring loses nothing: distances do not see where the origin is. The cosine of a zero vector with anything is 0.
    Raises FloatingPointError for features that are not finite.
    """
    m, n = len(made), len(real)
    inner = torch.zeros(m + n, m + n, dtype=torch.float64)
    raw = torch.zeros(m, m, dtype=torch.float64)
    for a, b in zip(made.split(columns, dim=1), real.split(columns, dim=1), strict=True):
        a, b = a.double(), b.double()
        raw += a @ a.mT
        centre = b.mean(0)
        both = torch.cat([a - centre, b - centre])
        inner += both @ both.mT
    if not inner.isfinite().all():
        raise FloatingPointError("features of the space are not finite")
    norms = raw.diagonal().sqrt()
    cosines = raw / (norms[:, None] * norms).clamp(min=1e-300)
    return Gram(inner[:m, :m], inner[:m, m:], inner[m:, m:], cosines)
