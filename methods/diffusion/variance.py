"""The learned variance of improved DDPM (Nichol & Dhariwal 2021), which DiT's second half of channels predicts.

The output v in about [-1, 1] interpolates between the two extreme log variances of a step:
log sigma^2 = f log beta + (1 - f) log beta~, f = (v + 1) / 2 (their equation 15).
"""

from __future__ import annotations

import math

import torch


def learned_log_variance(v: torch.Tensor, beta: torch.Tensor, posterior: torch.Tensor) -> torch.Tensor:
    """log sigma^2 for the output ``v``; ``beta`` and ``posterior`` (beta~) broadcast to it."""
    share = (v + 1) / 2
    return share * beta.log() + (1 - share) * posterior.clamp(min=1e-20).log()


def variational_bound(
    x0: torch.Tensor,
    x_t: torch.Tensor,
    eps_hat: torch.Tensor,
    v: torch.Tensor,
    t: torch.Tensor,
    alphas_cumprod: torch.Tensor,
) -> torch.Tensor:
    """The bound's term at ``t`` in bits a dimension, (B,), which trains the variance alone.

    KL between the posterior q(x_{t-1} | x_t, x_0) and the model's step for t > 0, and the likelihood of ``x0``
    discretised to 256 levels in [-1, 1] for t = 0. The mean is detached, as there.
    """
    previous = torch.cat([alphas_cumprod.new_ones(1), alphas_cumprod[:-1]])
    abar, abar_prev = (a[t].view(-1, 1, 1, 1).to(x_t.device) for a in (alphas_cumprod, previous))
    alpha = abar / abar_prev
    beta = 1 - alpha
    posterior = beta * (1 - abar_prev) / (1 - abar)
    # At t = 0 the posterior variance is zero; the original code takes that of t = 1 instead.
    first = (1 - alphas_cumprod[1] / alphas_cumprod[0]) * (1 - alphas_cumprod[0]) / (1 - alphas_cumprod[1])
    posterior = torch.where(posterior > 0, posterior, first.to(x_t.device))

    def mean(x0_: torch.Tensor) -> torch.Tensor:
        return abar_prev.sqrt() * beta / (1 - abar) * x0_ + alpha.sqrt() * (1 - abar_prev) / (1 - abar) * x_t

    x0_hat = (x_t - (1 - abar).sqrt() * eps_hat.detach()) / abar.sqrt()
    log_variance = learned_log_variance(v, beta, posterior)
    gap = (mean(x0) - mean(x0_hat)).square()
    kl = 0.5 * (log_variance - posterior.log() + (posterior + gap) / log_variance.exp() - 1)
    likelihood = -_log_level_probability(x0, mean(x0_hat), log_variance)
    nats = torch.where((t == 0).view(-1, 1, 1, 1).to(x_t.device), likelihood, kl)
    return nats.flatten(1).mean(1) / math.log(2)


def _log_level_probability(x: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """log of the Gaussian's mass on the level of width 2/255 around ``x``, open-ended at -1 and 1."""
    deviation = (0.5 * log_variance).exp()
    upper = torch.special.ndtr((x - mean + 1 / 255) / deviation)
    lower = torch.special.ndtr((x - mean - 1 / 255) / deviation)
    mass = torch.where(x < -0.999, upper, torch.where(x > 0.999, 1 - lower, upper - lower))
    return mass.clamp(min=1e-12).log()
