"""Where sampling starts, when it does not start at pure noise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.types import Fraction

if TYPE_CHECKING:
    import torch

    from methods.diffusion.scene import Scene


@dataclass(frozen=True)
class Start(ABC):
    """Latents that are noised part of the way and denoised from there (SDEdit, Meng et al. 2022; "img2img")."""

    strength: Fraction = 0.7
    """share of the sampling steps that are taken: 0 leaves the latents as they are, 1 keeps nothing of them"""

    @abstractmethod
    def latents(self, scene: Scene) -> torch.Tensor:
        """(K, N, C, H, W), what each image of each class of ``scene`` starts from."""
