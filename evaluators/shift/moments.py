"""Means and covariances: is a class in the right place, and is it as wide as the real one?"""

from __future__ import annotations

import math

import torch

from ddbench.evaluators.shift.gram import Gram

Moments = dict[str, float | None]


def moments(g: Gram) -> Moments:
    """Distances between the first two moments of a class, S being a covariance with ddof = 1.

    mean_distance: |mu_d - mu_r|, in units of the space. mean_shift: that, divided by the real scale sqrt(tr S_r).
    spread: sqrt(tr S_d / tr S_r), 1 when the set is as wide as the class. covariance_distance: the Bures distance
    (tr S_d + tr S_r - 2 tr (S_r S_d)^(1/2))^(1/2), divided by sqrt(tr S_r). frechet: |mu_d - mu_r|^2 plus the square
    of the undivided Bures distance (Dowson & Landau 1982), in squared units of the space. None where a covariance is
    not defined: for a single image, and relative to a class without any width.

    With the centred features A (m, D) and B (n, D), tr (S_r S_d)^(1/2) is the sum of the singular values of A B^T,
    divided by sqrt((m - 1)(n - 1)): no covariance is ever made. S_d has at most m - 1 directions, so even real images
    are far by Bures at a small m: compare with a real draw of equal size, not with zero.
    """
    m, n = len(g.made), len(g.real)
    gap2 = max(float(g.made.mean()), 0.0)  # the mean of the real ones is the origin
    width2 = float(g.real.trace()) / (n - 1) if n > 1 else 0.0
    found: Moments = {
        "mean_distance": math.sqrt(gap2),
        "mean_shift": math.sqrt(gap2 / width2) if width2 else None,
        "spread": None,
        "covariance_distance": None,
        "frechet": None,
    }
    if m > 1 and n > 1:
        made2 = max(float(g.made.trace()) - m * float(g.made.mean()), 0.0) / (m - 1)
        overlap = g.cross - g.cross.mean(0, keepdim=True)
        fidelity = float(torch.linalg.svdvals(overlap).sum()) / math.sqrt((m - 1) * (n - 1))
        bures2 = max(made2 + width2 - 2 * fidelity, 0.0)
        found["frechet"] = gap2 + bures2
        if width2:
            found |= {"spread": math.sqrt(made2 / width2), "covariance_distance": math.sqrt(bures2 / width2)}
    return found
