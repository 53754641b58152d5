"""Augmentation of whole batches on the device, each image with its own parameters, from an explicit generator."""

from __future__ import annotations

from collections.abc import Mapping
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
    return shift(images, draw_shifts(len(images), images.shape[2], images.shape[3], share, random))


def draw_shifts(n: int, height: int, width: int, share: float, random: torch.Generator) -> torch.Tensor:
    """Whole pixels down and to the right for each of ``n`` images, up to ``share`` of a side: int64 (n, 2)."""
    sides = [int(share * side) for side in (height, width)]
    return torch.cat([torch.randint(-most, most + 1, (n, 1), generator=random) for most in sides], 1)


def shift(images: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Each image moved by its own ``shifts`` (n, 2), towards its upper left corner where they are positive."""
    rows, columns = (
        (torch.arange(side, device=images.device) + moved[:, None].to(images.device)).clamp(0, side - 1)
        for side, moved in zip(images.shape[2:], shifts.T, strict=True)
    )
    return crops.taken(images, rows, columns)


def augment(images: torch.Tensor, options: Augmentation, random: torch.Generator) -> torch.Tensor:
    """Float RGB images (N, 3, H, W) in [0, 1], each changed by its own draw, in the order of ``options``' fields."""
    return changed(images, draw_changes(len(images), images.shape[2], images.shape[3], options, random))


def draw_changes(
    n: int, height: int, width: int, options: Augmentation, random: torch.Generator
) -> dict[str, torch.Tensor]:
    """The parameters of ``changed`` for ``n`` images, by name. What is switched off draws nothing and has none."""
    drawn = {}
    if options.shuffle > 1:
        drawn["strips"] = crops.draw_strips(n, options.shuffle, random)
    if options.crop != (1.0, 1.0):
        drawn["crops"] = crops.draw_crops(n, height, width, options.crop, options.ratio, random)
    if options.flip:
        drawn["flips"] = crops.draw_flips(n, options.flip, random)
    strengths = (options.brightness, options.contrast, options.saturation)
    if any(strengths):
        drawn["shares"], drawn["orders"] = colour.draw_jitter(n, strengths, random)
    if options.lighting:
        drawn["colours"] = colour.draw_lighting(n, options.lighting, random)
    return drawn


def changed(images: torch.Tensor, drawn: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """``images`` after the changes of which ``drawn`` holds parameters."""
    if "strips" in drawn:
        images = crops.shuffle(images, drawn["strips"])
    if "crops" in drawn:
        images = crops.crop(images, drawn["crops"])
    if "flips" in drawn:
        images = crops.flip(images, drawn["flips"])
    if "shares" in drawn:
        images = colour.jitter(images, drawn["shares"], drawn["orders"])
    if "colours" in drawn:
        images = colour.light(images, drawn["colours"])
    return images
