"""The space in which a diffusion model works: pixels for small images, the latents of an autoencoder for large ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class PixelSpace:
    """No autoencoder: the "latent" is the image itself, scaled from 0..255 to [-1, 1]."""

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (N, C, H, W) -> float32 latents of the same shape."""
        return images.float() / 127.5 - 1

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """float (N, C, H, W) latents -> uint8 images, clamped and rounded to the nearest level."""
        import torch

        return ((latents.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
