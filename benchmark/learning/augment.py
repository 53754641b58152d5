"""Augmentation of the images that a network of a method is trained on: batches (N, C, H, W) of floats, each image with
its own draw. Drawing parameters from a generator of the CPU and applying them where the images are stand apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ddbench.steps import constant

ASPECT = (3 / 4, 4 / 3)
"""width / height of a crop, as in torchvision's RandomResizedCrop"""
LUMA = (0.299, 0.587, 0.114)
"""grey as a weighted sum of R, G, B (ITU-R BT.601)"""
LIGHT = (
    (0.2175 * -0.5675, 0.0188 * 0.7192, 0.0045 * 0.4009),
    (0.2175 * -0.5808, 0.0188 * -0.0045, 0.0045 * -0.8140),
    (0.2175 * -0.5836, 0.0188 * -0.6948, 0.0045 * 0.4203),
)
"""eigenvectors of the covariance of ImageNet's RGB values in [0, 1] times the eigenvalues (Krizhevsky et al. 2012)"""


def draw_boxes(n: int, height: int, width: int, area: tuple[float, float], random: torch.Generator) -> torch.Tensor:
    """``n`` random boxes, as affine maps (n, 2, 3) for ``resized_crops``. The share of the area is uniform in ``area``,
    the aspect ratio log-uniform in ``ASPECT``, the place uniform; a side longer than the image's is cut."""
    share, ratio, down, right = torch.rand(4, n, generator=random)
    share = area[0] + (area[1] - area[0]) * share
    ratio = ASPECT[0] * (ASPECT[1] / ASPECT[0]) ** ratio
    # In units of the image's half sides, which affine_grid counts in.
    wide = (share * ratio * height / width).sqrt().clamp(max=1)
    high = (share / ratio * width / height).sqrt().clamp(max=1)
    zero = torch.zeros(n)
    rows = [wide, zero, (2 * right - 1) * (1 - wide), zero, high, (2 * down - 1) * (1 - high)]
    return torch.stack(rows, 1).view(n, 2, 3)


def resized_crops(images: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """The box of each image, enlarged bilinearly to the size of the image."""
    grid = F.affine_grid(boxes, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def draw_mirrored(n: int, random: torch.Generator) -> torch.Tensor:
    """Which of ``n`` images are mirrored, with probability one half: bool (n,)."""
    return torch.rand(n, generator=random) < 0.5


def flips(images: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
    """The images at which ``mirrored`` is true, left to right."""
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def draw_jitter(n: int, strength: float, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Factors in 1 +- ``strength`` of brightness, contrast and saturation for each of ``n`` images, float (3, n), and
    the order in which they come, int64 (n, 3)."""
    factors = 1 + strength * (2 * torch.rand(3, n, generator=random) - 1)
    return factors, torch.rand(n, 3, generator=random).argsort(1)


def jitter(images: torch.Tensor, factors: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Brightness, contrast and saturation of each image by its ``factors`` (3, n), in its own ``order`` (n, 3): of the
    distance to black, to its mean grey and to its grey version, which is the mean of the channels unless
    they are three."""
    for place in range(3):
        grey = _grey(images)
        towards = (torch.zeros_like(grey), grey.mean((1, 2, 3), keepdim=True).expand_as(grey), grey)
        for kind, centre in enumerate(towards):
            chosen = (order[:, place] == kind)[:, None, None, None]
            images = torch.where(chosen, centre + factors[kind][:, None, None, None] * (images - centre), images)
    return images


def draw_lighting(n: int, strength: float, random: torch.Generator) -> torch.Tensor:
    """A shift along the axes of colour in ImageNet for each of ``n`` images, by normal draws of deviation ``strength``:
    float (n, 3)."""
    return strength * torch.randn(n, 3, generator=random) @ torch.tensor(LIGHT).T


def lighting(images: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """RGB images in [0, 1] moved by their ``shifts`` (n, 3); images of other than three channels stay as they are."""
    return images + shifts[:, :, None, None] if images.shape[1] == 3 else images


def _grey(images: torch.Tensor) -> torch.Tensor:
    if images.shape[1] != 3:
        return images.mean(1, keepdim=True)
    return (images * constant(LUMA, images.device, images.dtype)[:, None, None]).sum(1, keepdim=True)
