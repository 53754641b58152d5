"""Stored pixels, 0..255, to and from the floats in [-1, 1] that diffusion models take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def from_levels(images: torch.Tensor) -> torch.Tensor:
    """uint8 -> float32 in [-1, 1]."""
    return images.float() / 127.5 - 1


def to_levels(x: torch.Tensor) -> torch.Tensor:
    """float in [-1, 1] (others are clamped) -> uint8, rounded to the nearest of 256 levels."""
    import torch

    return ((x.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
