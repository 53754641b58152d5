"""The random draws of sampling, each named by the image that it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddbench import seeding

if TYPE_CHECKING:
    import torch


def image_noise(seed: int, name: str, index: int, draws: int, shape: tuple[int, ...]) -> torch.Tensor:
    """All the noise of an image, float32 (draws, *shape): its initial latent, then a draw for each step.

    A function of these coordinates alone: every method starts an image from the same noise, and an image does not
    depend on how many others are drawn beside it.
    """
    import torch

    return torch.randn(draws, *shape, generator=seeding.generator("noise", seed, name, index))


@dataclass(frozen=True)
class SetNoise:
    """The noise of N images of each of K classes, standard normal float32 on the CPU."""

    seed: int
    names: tuple[str, ...]
    """the classes"""
    indices: range
    """of the images within their class"""
    shape: tuple[int, ...]
    """of a latent"""

    def draws(self, steps: int) -> torch.Tensor:
        """(1 + steps, K, N, *shape): the initial latents, then what each step adds."""
        return self._stack([image_noise(self.seed, *image, 1 + steps, self.shape) for image in self._images()])

    def again(self, step: int, time: int) -> torch.Tensor:
        """(2, K, N, *shape), where step ``step`` is taken once more for the ``time``-th time: what brings the latents
        back to its noise level, and what the step adds."""
        import torch

        streams = (seeding.generator("noise-again", self.seed, *image, step, time) for image in self._images())
        return self._stack([torch.randn(2, *self.shape, generator=stream) for stream in streams])

    def _images(self) -> list[tuple[str, int]]:
        return [(name, i) for name in self.names for i in self.indices]

    def _stack(self, images: list[torch.Tensor]) -> torch.Tensor:
        import torch

        return torch.stack(images, 1).unflatten(1, (len(self.names), len(self.indices)))
