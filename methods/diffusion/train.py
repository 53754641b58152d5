"""The one training loop of the diffusion family: the prior and every fine-tuning run differ in what they pass to it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F

from benchmark.types import StageContext
from methods.diffusion.model import DiffusionModel
from methods.diffusion.objective import Objective, Prediction
from methods.diffusion.options import Training

TIMESTEP_BINS = 10


def train(
    model: DiffusionModel,
    latents: torch.Tensor,
    class_ids: torch.Tensor,
    objective: Objective,
    options: Training,
    random: torch.Generator,
    ctx: StageContext,
) -> None:
    """Train ``model.transformer`` in place on ``latents`` (N, C, H, W) of ``class_ids`` (N,).

    ``random`` is a CPU generator from which indices, label drops, timesteps and noise are drawn in this order at
    each step, so that runs which differ in the objective see the same batches. Logs the mean of each term in
    ``TIMESTEP_BINS`` bins of the timestep.
    """
    network, device = model.transformer.train(), model.device
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        parameters, lr=options.lr, weight_decay=options.weight_decay, betas=(0.9, 0.99), fused=True
    )
    average = [p.detach().clone() for p in parameters] if options.ema else []
    abars, num_timesteps = model.alphas_cumprod, len(model.alphas_cumprod)
    terms_of, bins = objective.begin(), _Bins(num_timesteps)

    for step in range(options.steps):
        for group in optimiser.param_groups:
            group["lr"] = options.lr * _rate(step, options)
        index = torch.randint(len(latents), (options.batch,), generator=random)
        drop = torch.rand(options.batch, generator=random) < options.label_dropout
        t = torch.randint(num_timesteps, (options.batch,), generator=random)
        eps = torch.randn(options.batch, *latents.shape[1:], generator=random).to(device)

        x0, labels, abar = latents[index], class_ids[index], abars[t].view(-1, 1, 1, 1).to(device)
        x_t = abar.sqrt() * x0 + (1 - abar).sqrt() * eps
        shown = labels.masked_fill(drop.to(device), model.null_id)
        eps_hat = model.predict_noise(x_t, t.to(device), shown)
        terms = {
            "denoising": F.mse_loss(eps_hat.float(), eps, reduction="none").flatten(1).mean(1),
            **terms_of(Prediction(x0=x0, x_t=x_t, eps_hat=eps_hat, abar=abar, labels=labels)),
        }
        loss = torch.stack([value.mean() for value in terms.values()]).sum()
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the loss became {loss.item()} at step {step}: lower the learning rate or the weight"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if average:
            decay = min(options.ema, (1 + step) / (10 + step))
            torch._foreach_lerp_(average, [p.detach() for p in parameters], 1 - decay)
        bins.add(t, terms)
        ctx.progress(step + 1, options.steps)

    for kept, parameter in zip(average, parameters, strict=False):
        parameter.data.copy_(kept)
    network.eval()
    ctx.log(bins.means())


def _rate(step: int, options: Training) -> float:
    """Learning rate at ``step`` as a share of its peak."""
    rise = min(1.0, (step + 1) / options.warmup) if options.warmup else 1.0
    return rise * (1 - step / options.steps if options.decay == "linear" else 1.0)


class _Bins:
    """Running means of terms by bin of the timestep; terms without a value a sample have one mean."""

    def __init__(self, num_timesteps: int) -> None:
        self.width = num_timesteps / TIMESTEP_BINS
        self.sums: dict[str, torch.Tensor] = {}
        self.counts: dict[str, torch.Tensor] = {}

    def add(self, t: torch.Tensor, terms: Mapping[str, torch.Tensor]) -> None:
        for name, value in terms.items():
            value = value.detach().double().cpu()
            where = (t / self.width).long() if value.ndim else torch.zeros(1, dtype=torch.long)
            bins = TIMESTEP_BINS if value.ndim else 1
            sums = self.sums.setdefault(name, torch.zeros(bins, dtype=torch.float64))
            counts = self.counts.setdefault(name, torch.zeros(bins, dtype=torch.float64))
            sums.index_add_(0, where, value.reshape(-1))
            counts.index_add_(0, where, torch.ones_like(value.reshape(-1)))

    def means(self) -> dict[str, float]:
        result = {}
        for name, sums in self.sums.items():
            for i, mean in enumerate((sums / self.counts[name].clamp(min=1)).tolist()):
                label = name if len(sums) == 1 else f"{name}/t{int(i * self.width)}-{int((i + 1) * self.width) - 1}"
                result[label] = mean
        return result
