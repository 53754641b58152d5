"""Augmentation of the images that a network of a method is trained on: batches (N, C, H, W) of floats, each image with
its own draw from an explicit generator."""

from __future__ import annotations

import torch
import torch.nn.functional as F

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


def resized_crops(images: torch.Tensor, area: tuple[float, float], random: torch.Generator) -> torch.Tensor:
    """A random box of each image, enlarged bilinearly to the size of the image. Its share of the area is uniform in
    ``area``, its aspect ratio log-uniform in ``ASPECT``, its place uniform; a side longer than the image's is cut."""
    n, height, width = len(images), images.shape[2], images.shape[3]
    share, ratio, down, right = torch.rand(4, n, generator=random)
    share = area[0] + (area[1] - area[0]) * share
    ratio = ASPECT[0] * (ASPECT[1] / ASPECT[0]) ** ratio
    # In units of the image's half sides, which affine_grid counts in.
    wide = (share * ratio * height / width).sqrt().clamp(max=1)
    high = (share / ratio * width / height).sqrt().clamp(max=1)
    zero = torch.zeros(n)
    rows = [wide, zero, (2 * right - 1) * (1 - wide), zero, high, (2 * down - 1) * (1 - high)]
    boxes = torch.stack(rows, 1).view(n, 2, 3).to(images)
    grid = F.affine_grid(boxes, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def flips(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Each image mirrored left to right with probability one half."""
    mirrored = (torch.rand(len(images), generator=random) < 0.5).to(images.device)
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def jitter(images: torch.Tensor, strength: float, random: torch.Generator) -> torch.Tensor:
    """Brightness, contrast and saturation of each image by factors in 1 +- ``strength``, in an order of its own: of the
    distance to black, to its mean grey and to its grey version, which is the mean of the channels unless
    they are three."""
    factors = (1 + strength * (2 * torch.rand(3, len(images), generator=random) - 1)).to(images)
    order = torch.rand(len(images), 3, generator=random).argsort(1).to(images.device)
    for place in range(3):
        grey = _grey(images)
        towards = (torch.zeros_like(grey), grey.mean((1, 2, 3), keepdim=True).expand_as(grey), grey)
        for kind, centre in enumerate(towards):
            chosen = (order[:, place] == kind)[:, None, None, None]
            images = torch.where(chosen, centre + factors[kind][:, None, None, None] * (images - centre), images)
    return images


def lighting(images: torch.Tensor, strength: float, random: torch.Generator) -> torch.Tensor:
    """RGB images in [0, 1] shifted along the axes of colour in ImageNet by normal draws of deviation ``strength``.
    Images of other than three channels stay as they are."""
    draws = strength * torch.randn(len(images), 3, generator=random)
    if images.shape[1] != 3:
        return images
    return images + (draws @ torch.tensor(LIGHT).T).to(images)[:, :, None, None]


def _grey(images: torch.Tensor) -> torch.Tensor:
    if images.shape[1] != 3:
        return images.mean(1, keepdim=True)
    return (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
