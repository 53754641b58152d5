"""Changes of colour of float RGB batches (N, 3, H, W) in [0, 1]; drawing parameters and applying them are apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ddbench.steps import constant

LUMA = (0.299, 0.587, 0.114)
"""grey as a weighted sum of R, G, B (ITU-R BT.601)"""

EIGENVALUES = (0.2175, 0.0188, 0.0045)
EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)
"""of the covariance of ImageNet's RGB values in [0, 1]: rows are R, G, B; columns belong to the eigenvalues
(Krizhevsky et al. 2012)"""

BLACK, MEAN_GREY, GREY = range(3)
"""what brightness, contrast and saturation move an image towards"""


def draw_jitter(n: int, strengths: Sequence[float], random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """For ``n`` images the share, U[-s, s], by which each moves towards black, mean grey and grey, float (n, 3), and
    the order in which they do, int64 (n, 3). ``strengths``: s of brightness, contrast and saturation."""
    shares = (2 * torch.rand(n, 3, generator=random) - 1) * torch.tensor(list(strengths))
    return shares, torch.rand(n, 3, generator=random).argsort(1)


def jitter(images: torch.Tensor, shares: torch.Tensor, orders: torch.Tensor) -> torch.Tensor:
    """image <- image + share * (target - image) for the three targets in each image's own order.

    Nothing is clamped in between, so the three commute: the order is the field's and changes but the rounding.
    """
    luma = constant(LUMA, images.device)[:, None, None]
    shares, orders = shares.to(images.device), orders.to(images.device)
    for which in orders.T:
        grey = (images * luma).sum(1, keepdim=True)
        kind = which[:, None, None, None]
        target = torch.where(kind == GREY, grey, grey.mean((2, 3), keepdim=True))
        target = target.masked_fill(kind == BLACK, 0.0)  # where() would move the number to a card
        share = shares.gather(1, which[:, None])[:, :, None, None]
        images = images + share * (target - images)
    return images


def draw_lighting(n: int, std: float, random: torch.Generator) -> torch.Tensor:
    """A colour for each of ``n`` images, float (n, 3): sum over k of a_k * eigenvalue_k * eigenvector_k with
    a_k ~ N(0, std^2)."""
    weights = std * torch.randn(n, 3, generator=random) * torch.tensor(EIGENVALUES)
    return weights @ torch.tensor(EIGENVECTORS).T


def light(images: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
    """Each image's colour (n, 3) added to all of its pixels."""
    return images + colours.to(images.device)[:, :, None, None]
