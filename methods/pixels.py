"""Stored pixels, 0..255, to and from the floats in [-1, 1] that diffusion models take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ddbench import levels

if TYPE_CHECKING:
    import torch


def from_levels(images: torch.Tensor) -> torch.Tensor:
    """uint8 -> float32 in [-1, 1]."""
    return images.float() / 127.5 - 1


def to_levels(x: torch.Tensor, of: Sequence[str] = ()) -> torch.Tensor:
    """float in [-1, 1] (others are clamped) -> uint8, rounded to the nearest of 256 levels.

    of: the class of each image, for the message. Raises FloatingPointError where a value is not finite.
    """
    return levels.to_levels((x.float() + 1) * 127.5, of)
