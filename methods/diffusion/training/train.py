"""The one training loop of the diffusion family: the prior and every fine-tuning run differ in what they pass to it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ddbench import seeding
from ddbench.computing import compiled, products
from ddbench.finite import check_loss, check_weights
from ddbench.methods.diffusion.latents import Latents
from ddbench.methods.diffusion.model import DiffusionModel, own_weight
from ddbench.methods.diffusion.objectives.objective import Objective, Prediction
from ddbench.methods.diffusion.training.average import WeightAverage
from ddbench.methods.diffusion.training.options import Training
from ddbench.methods.diffusion.training.order import batches
from ddbench.methods.diffusion.training.term_bins import TermBins
from ddbench.methods.diffusion.variance import variational_bound
from ddbench.types import StageContext

CHECKPOINT_SECONDS = 300.0

ADVICE = "lower the learning rate or the weight"


def train(
    model: DiffusionModel,
    latents: Latents,
    index: torch.Tensor,
    objective: Objective,
    options: Training,
    random: torch.Generator,
    ctx: StageContext,
    parameters: Sequence[nn.Parameter] | None = None,
) -> None:
    """Train ``parameters`` (all by default) of ``model.transformer`` in place on the images ``index`` of ``latents``.

    ``latents.labels`` are class ids of the model. ``random`` is a CPU generator from which images, label drops,
    timesteps, noise and latents are drawn in this order at each step, so that runs which differ in the objective see
    the same batches; where epochs are shuffled, it gives the seed of their orders before the first step. What the
    network draws itself (dropout) is a stream of its own at each step. Logs the mean of each term by bins of the
    timestep. Resumes from ``ctx.scratch``. Raises FloatingPointError, naming the step, when the loss or the trained
    weights are not finite.

    A model with learned variance trains it by the variational bound beside the denoising loss, as it was pretrained.
    """
    run = _Run(model, objective, options, random, list(parameters or model.transformer.parameters()))
    batch = batches(index, options, random)
    checkpoint = ctx.scratch / "training.pt" if ctx.scratch else None
    if checkpoint and checkpoint.exists():
        run.load_state_dict(torch.load(checkpoint, map_location=model.device, weights_only=True))
    saved = time.monotonic()
    blocks = compiled(model.transformer.transformer_blocks, options.compile)
    with products(options.precision), blocks, seeding.seeded("network", random.initial_seed()) as at:
        while run.step < options.steps:
            at(run.step)
            run.advance(latents, batch(run.step))
            ctx.progress(run.step, options.steps)
            if checkpoint and time.monotonic() - saved > CHECKPOINT_SECONDS:
                torch.save(run.state_dict(), checkpoint.with_suffix(".tmp"))
                checkpoint.with_suffix(".tmp").replace(checkpoint)
                saved = time.monotonic()
    run.finish()
    if checkpoint:
        checkpoint.unlink(missing_ok=True)
    ctx.log(run.bins.means())


class _Run:
    """A training run between two steps; its state is all that the rest of the run depends on."""

    def __init__(
        self,
        model: DiffusionModel,
        objective: Objective,
        options: Training,
        random: torch.Generator,
        parameters: list[nn.Parameter],
    ) -> None:
        self.model, self.options, self.random, self.parameters = model, options, random, parameters
        self.optimiser = torch.optim.AdamW(
            parameters, lr=options.lr, weight_decay=options.weight_decay, betas=options.betas, fused=True
        )
        self.average = WeightAverage(parameters, options.ema, options.ema_warmup)
        self.terms = objective.begin()
        self.bins = TermBins(len(model.alphas_cumprod))
        self.step = 0
        model.transformer.train()
        if options.checkpoint_activations:
            model.transformer.enable_gradient_checkpointing()

    def advance(self, latents: Latents, chosen: torch.Tensor) -> None:
        """One optimiser step on the images ``chosen``."""
        options, model = self.options, self.model
        for group in self.optimiser.param_groups:
            group["lr"] = options.lr * _rate(self.step, options)
        drop = torch.rand(options.batch, generator=self.random) < options.label_dropout
        t = torch.randint(len(model.alphas_cumprod), (options.batch,), generator=self.random)
        eps = torch.randn(options.batch, *model.latent_shape, generator=self.random).to(model.device)
        x0 = latents.draw(chosen, self.random, model.device)
        labels = latents.labels[chosen]

        self.optimiser.zero_grad(set_to_none=True)
        for part in torch.arange(options.batch).chunk(options.accumulate):
            terms = self._terms(x0[part], labels[part], drop[part], t[part], eps[part])
            loss = torch.stack([value.mean() for value in terms.values()]).sum()
            check_loss(float(loss.detach()), "the diffusion model", f"step {self.step + 1} of {options.steps}", ADVICE)
            (loss * (len(part) / options.batch)).backward()
            self.bins.add(t[part], terms)
        self.optimiser.step()
        self.average.update(self.step)
        self.step += 1

    def _terms(
        self, x0: torch.Tensor, labels: torch.Tensor, drop: torch.Tensor, t: torch.Tensor, eps: torch.Tensor
    ) -> Mapping[str, torch.Tensor]:
        model = self.model
        abar = model.alphas_cumprod[t].view(-1, 1, 1, 1).to(model.device)
        x_t = abar.sqrt() * x0 + (1 - abar).sqrt() * eps
        shown = labels.masked_fill(drop, model.null_id).to(model.device)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=self.options.precision == "bf16"):
            eps_hat, v = model.predict(x_t, t.to(model.device), shown)
        eps_hat = eps_hat.float()
        error = F.mse_loss(eps_hat, eps, reduction="none").flatten(1).mean(1)
        terms = {"denoising": error * own_weight(model.prediction, abar.flatten())}
        if v is not None:
            terms["variance"] = variational_bound(x0, x_t, eps_hat, v.float(), t, model.alphas_cumprod)
        return {**terms, **self.terms(Prediction(x0=x0, x_t=x_t, eps_hat=eps_hat, abar=abar, labels=labels))}

    def finish(self) -> None:
        """Keep the average where there is one, and leave the network ready to sample."""
        check_weights(self.parameters, "the diffusion model", f"step {self.step} of {self.options.steps}", ADVICE)
        self.average.put()
        self.model.transformer.disable_gradient_checkpointing()
        self.model.transformer.eval()

    def state_dict(self) -> dict[str, Any]:
        memory = getattr(self.terms, "state_dict", dict)
        return {
            "step": self.step,
            "parameters": [p.detach() for p in self.parameters],
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.values,
            "random": self.random.get_state(),
            "terms": memory(),
            "bins": self.bins.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        for parameter, saved in zip(self.parameters, state["parameters"], strict=True):
            parameter.data.copy_(saved)
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.values = state["average"]
        self.random.set_state(state["random"].cpu())
        if state["terms"]:
            self.terms.load_state_dict(state["terms"])  # type: ignore[attr-defined]
        self.bins.load_state_dict(state["bins"])


def _rate(step: int, options: Training) -> float:
    """Learning rate at ``step`` as a share of its peak."""
    rise = min(1.0, (step + 1) / options.warmup) if options.warmup else 1.0
    return rise * (1 - step / options.steps if options.decay == "linear" else 1.0)
