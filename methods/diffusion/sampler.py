"""The steps of a sampler: which noise levels it visits, classifier-free guidance, and the moments of a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ddbench.hyperparameters import Compilation, Precision
from ddbench.types import Count, Fraction, MicroBatch, NonNegative, NonNegativeInt

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.model import DiffusionModel


@dataclass(frozen=True)
class Sampler:
    """How latents are drawn from a diffusion model.

    Two conventions of the field for DiT-XL/2 give different images from the same weights: the original code's, which
    Minimax, IGD and MGD3 run and which is the default here; and that of diffusers' DiTPipeline, ``kind=ddim,
    spacing=leading, guided_channels=0``.
    """

    kind: Literal["ddpm", "ddim"] = "ddpm"
    steps: Count = 50
    spacing: Literal["leading", "linspace", "trailing"] = "linspace"
    """which of the training timesteps are visited; linspace is the respacing of the original DiT code"""
    guidance_scale: NonNegative = 4.0
    """classifier-free guidance: 1 is none, 4 is the field's choice for DiT-XL/2"""
    guided_channels: NonNegativeInt = 3
    """the first channels of a latent that guidance reaches, the others take the class's prediction; 0 is all. The
    original code guides 3 of the 4 of DiT-XL/2"""
    variance: Literal["model", "fixed", "learned"] = "model"
    """of a DDPM step. model: what a model with learned variance says, the posterior's for any other. fixed: the
    posterior's. learned: as model, and a model without is refused"""
    eta: Fraction = 0.0
    """DDIM only: share of the DDPM noise that is added back"""
    clip_x0: bool = False
    """clamp the predicted x0 to [-1, 1] at each step: for pixel space only"""
    micro_batch: MicroBatch = 256
    """latents that the network sees at once (twice that with guidance); the set itself is never split"""
    precision: Precision = "fp32"
    """tf32: the network's matrix products and convolutions in TF32 where a GPU has it. bf16: its weights are cast once;
    latents, guidance and the arithmetic of a step stay in float32"""
    compile: Compilation = "none"
    """blocks: the blocks of the network are compiled one by one, 17 s for DiT-XL/2 on an H200"""


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


def step_moments(
    sampler: Sampler,
    z: torch.Tensor,
    eps: torch.Tensor,
    abar: float,
    abar_next: float,
    v: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of z at noise level ``abar_next``, given z at ``abar`` and its predicted noise, and
    the x0 that was predicted. The deviation broadcasts to the mean.

    DDPM: Ho et al. 2020, equations 6 and 7, with the posterior variance or the learned one for ``v``. DDIM: Song et al.
    2021, equations 12 and 16. The last step (abar_next = 1) adds no noise.
    """
    import torch

    x0 = predicted_x0(sampler, z, eps, abar)
    alpha = abar / abar_next
    variance = (1 - abar_next) / (1 - abar) * (1 - alpha)
    if sampler.kind == "ddim":
        sigma = sampler.eta * variance**0.5
        mean = abar_next**0.5 * x0 + max(1 - abar_next - sigma**2, 0.0) ** 0.5 * eps
        return mean, torch.tensor(sigma, device=z.device), x0
    mean = abar_next**0.5 * (1 - alpha) / (1 - abar) * x0 + alpha**0.5 * (1 - abar_next) / (1 - abar) * z
    if v is None and sampler.variance == "learned":
        raise ValueError("variance=learned needs a model that predicts it; this one has as many outputs as inputs")
    if v is None or sampler.variance == "fixed" or abar_next == 1:
        return mean, torch.tensor(variance**0.5, device=z.device), x0
    from ddbench.methods.diffusion.variance import learned_log_variance

    log_variance = learned_log_variance(v, torch.tensor(1 - alpha), torch.tensor(variance))
    return mean, (0.5 * log_variance).exp(), x0
