"""Where sampling starts, when it does not start at pure noise: at any latents, or at centres of clusters (D4M)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddbench.types import Fraction

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.context import SamplingContext


@dataclass(frozen=True)
class Start(ABC):
    """Latents that are noised part of the way and denoised from there (SDEdit, Meng et al. 2022; "img2img")."""

    strength: Fraction = 0.7
    """share of the sampling steps that are taken: 0 leaves the latents as they are, 1 keeps nothing of them"""

    @abstractmethod
    def latents(self, context: SamplingContext) -> torch.Tensor:
        """(K, N, C, H, W), what each image of each class of ``context`` starts from."""


@dataclass(frozen=True)
class Centres(Start):
    """Each image begins as the centre of one of ``ipc`` clusters of the latents of its class: the idea of D4M (CVPR
    2024), and not its code, so that the row is called ``d4m_style``.

    D4M clusters by mini-batch k-means in the latents of Stable Diffusion 1.5 at 512 px, samples from the class name as
    the prompt with a negative prompt, at strength 0.7 (35 of 50 steps) and guidance 8, shrinks the images to 224 px,
    and trains on soft labels of a teacher. Here k-means is exact, the class-conditional prior takes the place of the
    prompted one, guidance is the sampler's ``guidance_scale``, and labels are the protocol's.
    """

    def latents(self, context: SamplingContext) -> torch.Tensor:
        import torch

        return torch.stack([context.modes(name) for name in context.names])
