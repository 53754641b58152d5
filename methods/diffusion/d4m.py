"""D4M: the centres of clusters of a class, noised part of the way and denoised again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from methods.diffusion.start import Start

if TYPE_CHECKING:
    import torch

    from methods.diffusion.scene import Scene


@dataclass(frozen=True)
class Centres(Start):
    """As in D4M (CVPR 2024), each image begins as the centre of one of ``ipc`` clusters of the latents of its class.

    The paper clusters by mini-batch k-means in the latents of Stable Diffusion, samples by img2img at strength 0.7 and
    guidance 8 with the class name as the prompt, and trains on soft labels of a teacher. Here k-means is exact, the
    class-conditional prior takes the place of the prompted one, guidance is the sampler's ``guidance_scale``, and
    labels are the protocol's.
    """

    def latents(self, scene: Scene) -> torch.Tensor:
        import torch

        return torch.stack([scene.modes(name) for name in scene.names])
