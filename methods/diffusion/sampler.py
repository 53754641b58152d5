"""Reverse diffusion of whole sets: DDPM and DDIM steps, classifier-free guidance, and set guidance after each step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ddbench import seeding
from ddbench.methods.diffusion.guidances.guidance import LatentSets
from ddbench.types import Count, Fraction, MicroBatch, NonNegative, NonNegativeInt

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.guidances.guidance import Guide
    from ddbench.methods.diffusion.model import DiffusionModel


@dataclass(frozen=True)
class Sampler:
    """How latents are drawn from a diffusion model.

    Two conventions of the field for DiT-XL/2, which give different images from the same weights:
    the original code's, also Minimax's: ``kind=ddpm, spacing=linspace, guided_channels=3, variance=learned``;
    diffusers' DiTPipeline's: ``kind=ddim, spacing=leading, guided_channels=0, variance=fixed``.
    """

    kind: Literal["ddpm", "ddim"] = "ddpm"
    steps: Count = 50
    spacing: Literal["leading", "linspace", "trailing"] = "linspace"
    """which of the training timesteps are visited; linspace is the respacing of the original DiT code"""
    guidance_scale: NonNegative = 4.0
    """classifier-free guidance: 1 is none, 4 is the field's choice for DiT-XL/2"""
    guided_channels: NonNegativeInt = 0
    """the first channels of a latent that guidance reaches, the others take the class's prediction; 0 is all"""
    variance: Literal["fixed", "learned"] = "fixed"
    """of a DDPM step: that of the posterior, or what a model with learned variance says"""
    eta: Fraction = 0.0
    """DDIM only: share of the DDPM noise that is added back"""
    clip_x0: bool = False
    """clamp the predicted x0 to [-1, 1] at each step: for pixel space only"""
    micro_batch: MicroBatch = 256
    """latents that the network sees at once (twice that with guidance); the set itself is never split"""


def image_noise(seed: int, name: str, index: int, draws: int, shape: tuple[int, ...]) -> torch.Tensor:
    """All the noise of an image, float32 (draws, *shape): its initial latent, then a draw for each step.

    A function of these coordinates alone: every method starts an image from the same noise, and an image does not
    depend on how many others are drawn beside it.
    """
    import torch

    return torch.randn(draws, *shape, generator=seeding.generator("noise", seed, name, index))


@dataclass(frozen=True)
class Begun:
    """Sampling that starts at latents (K, n, C, H, W), noised ``strength`` of the way, and not at pure noise."""

    latents: torch.Tensor
    strength: float


def sample_sets(
    model: DiffusionModel,
    names: tuple[str, ...],
    n: int,
    sampler: Sampler,
    seed: int,
    guidance: Guide | None = None,
    means: torch.Tensor | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    first: int = 0,
    begun: Begun | None = None,
) -> torch.Tensor:
    """``n`` latents of each of the K classes ``names``: (K, n, C, H, W), denoised together.

    ``means`` (K, C, H, W), the mean latents of the real classes, is needed with ``guidance``. ``first`` is the index
    within its class of the first image, which names its noise.
    """
    import torch

    timesteps, abars = schedule(model, sampler)
    noise = torch.stack(
        [
            image_noise(seed, name, i, len(timesteps) + 1, model.latent_shape)
            for name in names
            for i in range(first, first + n)
        ],
        dim=1,
    )
    ids = torch.tensor(model.ids(names), device=model.device).repeat_interleave(n)
    z, taken = noise[0].to(model.device), 0
    if begun is not None:
        z, taken = _noised(begun, z, abars)

    def sets(latents: torch.Tensor, x0_hat: torch.Tensor, abar: float, done: int) -> LatentSets:
        assert means is not None
        return LatentSets(
            latents=latents.unflatten(0, (len(names), n)),
            x0_hat=x0_hat.unflatten(0, (len(names), n)),
            mean=means.to(model.device),
            abar=abar,
            progress=done / len(timesteps),
        )

    with torch.inference_mode():
        for i, t in list(enumerate(timesteps))[taken:]:
            eps, v = predict(model, z, t, ids, sampler)
            if guidance is not None:
                given = sets(z, predicted_x0(sampler, z, eps, abars[i]), abars[i], i)
                eps = guidance.noise(given, eps.unflatten(0, (len(names), n))).flatten(0, 1)
            z, x0_hat = step(sampler, z, eps, abars[i], abars[i + 1], noise[i + 1].to(model.device), v)
            if guidance is not None:
                given = sets(z, x0_hat, abars[i + 1], i + 1)
                z = (given.latents - guidance.correction(given)).flatten(0, 1)
            progress(i + 1, len(timesteps))
    drawn = z.unflatten(0, (len(names), n)).clone()
    if guidance is not None:
        guidance.finished(drawn)
    return drawn


def _noised(begun: Begun, noise: torch.Tensor, abars: list[float]) -> tuple[torch.Tensor, int]:
    """The latents at the noise level from which ``strength`` of the steps are left, and how many steps that skips.

    At strength 1 nothing is kept: even the first timestep has sqrt(abar) a little above zero.
    """
    steps = len(abars) - 1
    skipped = steps - round(begun.strength * steps)
    if not skipped:
        return noise, 0
    abar = abars[skipped]
    return abar**0.5 * begun.latents.flatten(0, 1).to(noise) + (1 - abar) ** 0.5 * noise, skipped


def schedule(model: DiffusionModel, sampler: Sampler) -> tuple[list[int], list[float]]:
    """The timesteps visited, from noise to image, and abar at each followed by 1, the noise level of an image."""
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler.from_config(model.scheduler.config, timestep_spacing=sampler.spacing)
    scheduler.set_timesteps(sampler.steps)
    timesteps = [int(t) for t in scheduler.timesteps]
    return timesteps, [float(model.alphas_cumprod[t]) for t in timesteps] + [1.0]


def predict(
    model: DiffusionModel, z: torch.Tensor, t: int, ids: torch.Tensor, sampler: Sampler
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Noise and learned variance at ``z`` (B, C, H, W), in micro-batches.

    Noise is guided, eps(null) + scale * (eps(class) - eps(null)), in ``guided_channels``; the other channels and the
    variance are the class's own.
    """
    import torch

    guided = slice(0, sampler.guided_channels or z.shape[1])
    noises, variances = [], []
    for part, part_ids in zip(z.split(sampler.micro_batch), ids.split(sampler.micro_batch), strict=True):
        time = torch.full_like(part_ids, t)
        if sampler.guidance_scale == 1:
            eps, v = model.predict(part, time, part_ids)
        else:
            null = torch.full_like(part_ids, model.null_id)
            both, v = model.predict(torch.cat([part, part]), torch.cat([time, time]), torch.cat([part_ids, null]))
            eps, without = both.chunk(2)
            eps = eps.clone()
            eps[:, guided] = without[:, guided] + sampler.guidance_scale * (eps[:, guided] - without[:, guided])
            v = None if v is None else v.chunk(2)[0]
        noises.append(eps)
        variances.append(v)
    return torch.cat(noises), None if variances[0] is None else torch.cat([v for v in variances if v is not None])


def predicted_x0(sampler: Sampler, z: torch.Tensor, eps: torch.Tensor, abar: float) -> torch.Tensor:
    """The image that noise ``eps`` in ``z`` at noise level ``abar`` leaves: equation 15 of Ho et al. 2020."""
    x0 = (z - (1 - abar) ** 0.5 * eps) / abar**0.5
    return x0.clamp(-1, 1) if sampler.clip_x0 else x0


def step(
    sampler: Sampler,
    z: torch.Tensor,
    eps: torch.Tensor,
    abar: float,
    abar_next: float,
    noise: torch.Tensor,
    v: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """z at noise level ``abar_next`` from z at ``abar`` and its predicted noise; and the x0 that was predicted.

    ``noise`` is standard normal. DDPM: Ho et al. 2020, equations 6 and 7, with the posterior variance or the learned
    one for ``v``. DDIM: Song et al. 2021, equations 12 and 16. The last step (abar_next = 1) adds no noise.
    """
    import torch

    x0 = predicted_x0(sampler, z, eps, abar)
    alpha = abar / abar_next
    variance = (1 - abar_next) / (1 - abar) * (1 - alpha)
    if sampler.kind == "ddim":
        sigma = sampler.eta * variance**0.5
        return abar_next**0.5 * x0 + max(1 - abar_next - sigma**2, 0.0) ** 0.5 * eps + sigma * noise, x0
    mean = abar_next**0.5 * (1 - alpha) / (1 - abar) * x0 + alpha**0.5 * (1 - abar_next) / (1 - abar) * z
    if sampler.variance == "fixed" or abar_next == 1:
        return mean + variance**0.5 * noise, x0
    if v is None:
        raise ValueError("variance=learned needs a model that predicts it; this one has as many outputs as inputs")
    from ddbench.methods.diffusion.variance import learned_log_variance

    log_variance = learned_log_variance(v, torch.tensor(1 - alpha), torch.tensor(variance))
    return mean + (0.5 * log_variance).exp() * noise, x0
