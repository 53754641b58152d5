"""Reverse diffusion of whole sets: the loop over the steps of a sampler, and where a guide acts in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ddbench.methods.diffusion.guidances.guidance import Guide, LatentSets, Predicted, Step
from ddbench.methods.diffusion.model import DiffusionModel
from ddbench.methods.diffusion.noise import SetNoise
from ddbench.methods.diffusion.sampler import Sampler, predict, predicted_x0, schedule, step_moments


@dataclass(frozen=True)
class Begun:
    """Sampling that starts at latents (K, N, C, H, W), noised ``strength`` of the way, and not at pure noise."""

    latents: torch.Tensor
    strength: float


def denoise(
    model: DiffusionModel,
    noise: SetNoise,
    sampler: Sampler,
    guide: Guide | None = None,
    means: torch.Tensor | None = None,
    begun: Begun | None = None,
) -> torch.Tensor:
    """The latents (K, N, C, H, W) that the images of ``noise`` become, all of them denoised together.

    ``means`` (K, C, H, W), the mean latents of the real classes, is what ``guide`` sees of them; zeros without one.
    """
    run = _Run(model, noise, sampler, means)
    guide = guide or Guide()
    draws = noise.draws(len(run.timesteps)).to(model.device)
    z, taken = (draws[0], 0) if begun is None else _noised(begun, draws[0], run.abars)
    with torch.no_grad():
        for i in range(taken, len(run.timesteps)):
            start, added = z, draws[i + 1]
            for time in range(guide.times((i + 1) / len(run.timesteps))):
                if time:
                    back, added = noise.again(i, time).to(model.device)
                    kept = run.abars[i] / run.abars[i + 1]
                    start = kept**0.5 * z + (1 - kept) ** 0.5 * back
                z = run.step(i, start, added, guide)
    guide.finished(z)
    return z


class _Run:
    """The schedule and the classes of one sampling; latents are (K, N, C, H, W), the network sees them flat."""

    def __init__(self, model: DiffusionModel, noise: SetNoise, sampler: Sampler, means: torch.Tensor | None) -> None:
        self.model, self.sampler = model, sampler
        self.timesteps, self.abars = schedule(model, sampler)
        self.size = (len(noise.names), len(noise.indices))
        self.ids = torch.tensor(model.ids(noise.names), device=model.device).repeat_interleave(self.size[1])
        self.means = torch.zeros(self.size[0], *noise.shape) if means is None else means

    def step(self, i: int, z: torch.Tensor, noise: torch.Tensor, guide: Guide) -> torch.Tensor:
        """The latents after step ``i`` from ``z`` before it."""
        abar, abar_next, done = self.abars[i], self.abars[i + 1], (i + 1) / len(self.timesteps)
        eps, v = predict(self.model, z.flatten(0, 1), self.timesteps[i], self.ids, self.sampler)
        eps = eps.unflatten(0, self.size)
        eps = guide.noise(self._sets(i, z, predicted_x0(self.sampler, z, eps, abar)), eps)
        _of_shape(z, eps, "noise of the guidance")
        v = None if v is None else v.unflatten(0, self.size)
        mean, sigma, x0_hat = step_moments(self.sampler, z, eps, abar, abar_next, v)
        before = self._sets(i, z, x0_hat)
        step = Step(before, eps, mean, sigma, abar_next, done)
        mean = mean + _of_shape(z, guide.shift(step), "shift of the guidance")
        z = mean + sigma * noise
        return z - _of_shape(z, guide.correction(self._sets(i + 1, z, x0_hat)), "correction of the guidance")

    def _sets(self, i: int, latents: torch.Tensor, x0_hat: torch.Tensor) -> LatentSets:
        """What a guide sees once ``i`` steps are done."""
        means = self.means.to(latents.device)
        return LatentSets(latents, x0_hat, means, self.abars[i], i / len(self.timesteps), self._predictor(i))

    def _predictor(self, i: int) -> Callable[[torch.Tensor], Predicted]:
        if i == len(self.timesteps):
            return lambda latents: Predicted(torch.zeros_like(latents), latents)

        def predictor(latents: torch.Tensor) -> Predicted:
            with activations_checkpointed(self.model.transformer):
                eps = predict(self.model, latents.flatten(0, 1), self.timesteps[i], self.ids, self.sampler)[0]
            eps = eps.unflatten(0, self.size)
            return Predicted(eps, predicted_x0(self.sampler, latents, eps, self.abars[i]))

        return predictor


def _of_shape(latents: torch.Tensor, found: torch.Tensor, what: str) -> torch.Tensor:
    """``found``. Raises ValueError where it has not the shape of ``latents``: broadcasting would hide a mistake."""
    if found.shape != latents.shape:
        raise ValueError(
            f"the {what} has shape {tuple(found.shape)}, the latents have {tuple(latents.shape)}: (classes, images of "
            "each, channels, height, width)"
        )
    return found


@contextmanager
def activations_checkpointed(network: Any) -> Iterator[None]:
    """A network of diffusers keeps the inputs of its blocks alone for a gradient, and computes the rest again."""
    network.enable_gradient_checkpointing()
    try:
        yield
    finally:
        network.disable_gradient_checkpointing()


def _noised(begun: Begun, noise: torch.Tensor, abars: list[float]) -> tuple[torch.Tensor, int]:
    """The latents at the noise level from which ``strength`` of the steps are left, and how many steps that skips.

    At strength 1 nothing is kept: even the first timestep has sqrt(abar) a little above zero.
    """
    steps = len(abars) - 1
    skipped = steps - round(begun.strength * steps)
    if not skipped:
        return noise, 0
    abar = abars[skipped]
    return abar**0.5 * begun.latents.to(noise) + (1 - abar) ** 0.5 * noise, skipped
