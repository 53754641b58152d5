"""Augmentation of whole batches on the device, each image with its own parameters, from an explicit generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from ddbench.evaluators import colour, crops

if TYPE_CHECKING:
    from ddbench.evaluators.recipe import Augmentation


def enlarge(images: torch.Tensor, min_side: int) -> torch.Tensor:
    """Float images (N, C, H, W), bilinearly enlarged to a shorter side of ``min_side``; larger ones unchanged."""
    height, width = images.shape[2:]
    short = min(height, width)
    if short >= min_side:
        return images
    size = (round(height * min_side / short), round(width * min_side / short))
    return F.interpolate(images, size=size, mode="bilinear", align_corners=False)


def random_shift(images: torch.Tensor, share: float, random: torch.Generator) -> torch.Tensor:
    """Each image moved by its own whole pixels, up to ``share`` of its side either way; borders are repeated."""
    n, channels, height, width = images.shape
    most = (int(share * height), int(share * width))
    rows, columns = (
        (torch.arange(side) + torch.randint(-m, m + 1, (n, 1), generator=random)).clamp(0, side - 1).to(images.device)
        for side, m in ((height, most[0]), (width, most[1]))
    )
    index = torch.arange(n, device=images.device)[:, None, None, None]
    plane = torch.arange(channels, device=images.device)[None, :, None, None]
    return images[index, plane, rows[:, None, :, None], columns[:, None, None, :]]


def augment(images: torch.Tensor, options: Augmentation, random: torch.Generator) -> torch.Tensor:
    """Float RGB images (N, 3, H, W) in [0, 1], each changed by its own draw, in the order of ``options``' fields.

    A change that is switched off draws nothing from ``random``.
    """
    n, _, height, width = images.shape
    if options.shuffle > 1:
        images = crops.shuffle(images, crops.draw_strips(n, options.shuffle, random))
    if options.crop != (1.0, 1.0):
        images = crops.crop(images, crops.draw_crops(n, height, width, options.crop, options.ratio, random))
    if options.flip:
        images = crops.flip(images, crops.draw_flips(n, options.flip, random))
    strengths = (options.brightness, options.contrast, options.saturation)
    if any(strengths):
        images = colour.jitter(images, *colour.draw_jitter(n, strengths, random))
    if options.lighting:
        images = colour.light(images, colour.draw_lighting(n, options.lighting, random))
    return images
