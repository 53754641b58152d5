"""How different the images of a set are from each other, without looking at real ones."""

from __future__ import annotations

import math

import torch


def dpp_loss(cosines: torch.Tensor, epsilon: float) -> float:
    """L_dpp = -log det(K + epsilon I) of the cosine kernel K (m, m): lower is more diverse, -m log(1 + epsilon) least.

    As in the CVPR 2026 paper's guidance. K has no negative eigenvalues; those that rounding makes are taken as zero.
    """
    return -float((_spectrum(cosines) + epsilon).log().sum())


def vendi_score(cosines: torch.Tensor) -> float:
    """exp(-sum_i l_i log l_i) over the eigenvalues l of K / m (Friedman & Dieng, TMLR 2023, equation 2).

    The effective number of different images, from 1 (all in one direction) to m (all orthogonal).
    """
    shares = _spectrum(cosines) / len(cosines)
    return math.exp(-float(torch.special.xlogy(shares, shares).sum()))


def _spectrum(cosines: torch.Tensor) -> torch.Tensor:
    return torch.linalg.eigvalsh(cosines).clamp(min=0)
