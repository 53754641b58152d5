"""The one training loop of the diffusion family: the prior and every fine-tuning run differ in what they pass to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ddbench import seeding, steps
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

LOSS, TIMESTEP = "loss of each part", "timestep"
"""beside the terms of an objective, whose names are its own"""


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
    timesteps, noise and latents are drawn in this order for each step, perhaps long before it, so that runs which
    differ in the objective see the same batches; where epochs are shuffled, it gives the seed of their orders before
    the first step. What the network draws itself (dropout) is a stream of its own at each step. Logs the mean of each
    term by bins of the timestep. Resumes from ``ctx.scratch``. Raises FloatingPointError, naming the step, when the
    loss or the trained weights are not finite.

    A model with learned variance trains it by the variational bound beside the denoising loss, as it was pretrained.
    """
    run = _Run(model, objective, options, random, list(parameters or model.transformer.parameters()))
    chosen = batches(index, options, random)
    checkpoint = ctx.scratch / "training.pt" if ctx.scratch else None
    if checkpoint and checkpoint.exists():
        run.load_state_dict(torch.load(checkpoint, map_location=model.device, weights_only=True))
    saved = time.monotonic()
    stepped = steps.Steps(run.step, run.mode, run.seen, start=run.done)
    with (
        products(options.precision),
        compiled(model.transformer.transformer_blocks, options.compile),
        seeding.seeded("network", random.initial_seed()) as at,
        steps.read_ahead(run.draws(latents, chosen), run.mode, random.get_state if checkpoint else None) as drawn,
    ):
        for batch in drawn:
            at(run.done)
            stepped(batch)
            run.done += 1
            ctx.progress(run.done, options.steps)
            if checkpoint and time.monotonic() - saved > CHECKPOINT_SECONDS:
                stepped.settle()
                torch.save(run.state_dict(batch.after), checkpoint.with_suffix(".tmp"))
                checkpoint.with_suffix(".tmp").replace(checkpoint)
                saved = time.monotonic()
    stepped.settle()
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
        self.mode = steps.mode(model.device, graphs=objective.replayable and not options.checkpoint_activations)
        self.optimiser = steps.adamw(
            parameters, self.mode, lr=options.lr, weight_decay=options.weight_decay, betas=options.betas
        )
        self.rate = steps.Rate(self.optimiser, self.mode)
        self.average = WeightAverage(parameters, options.ema, options.ema_warmup)
        self.terms = objective.begin()
        self.bins = TermBins(len(model.alphas_cumprod))
        self.done = 0
        model.transformer.train()
        if options.checkpoint_activations:
            model.transformer.enable_gradient_checkpointing()

    def draws(self, latents: Latents, chosen: Callable[[int], torch.Tensor]) -> Iterator[dict[str, torch.Tensor]]:
        """What each step from here on draws, on the images ``chosen(step)``."""
        options, model, random = self.options, self.model, self.random
        weights = next(iter(self.parameters)).dtype
        for step in range(self.done, options.steps):
            images = chosen(step)
            drop = torch.rand(options.batch, generator=random) < options.label_dropout
            labels = latents.labels[images]
            yield {
                "t": torch.randint(len(model.alphas_cumprod), (options.batch,), generator=random),
                "eps": torch.randn(options.batch, *model.latent_shape, generator=random),
                "x0": latents.draw(images, random, torch.device("cpu")),
                "labels": labels,
                "shown": labels.masked_fill(drop, model.null_id),
                "rate": steps.rate(options.lr * _rate(step, options)),
                "average": torch.tensor(self.average.weight(step), dtype=weights),
            }

    def step(self, batch: steps.Batch) -> dict[str, torch.Tensor]:
        """One optimiser step."""
        self.rate.set(batch["rate"])
        self.optimiser.zero_grad(set_to_none=True)
        losses: list[torch.Tensor] = []
        parts: dict[str, list[torch.Tensor]] = {}
        tensors = [batch[name].chunk(self.options.accumulate) for name in ("x0", "labels", "shown", "t", "eps")]
        for x0, labels, shown, t, eps in zip(*tensors, strict=True):
            terms = self._terms(x0, labels, shown, t, eps)
            loss = torch.stack([value.mean() for value in terms.values()]).sum()
            (loss * (len(t) / self.options.batch)).backward()
            losses.append(loss.detach())
            for name, value in terms.items():
                parts.setdefault(name, []).append(value.detach())
        self.optimiser.step()
        self.average.update(batch["average"])
        joined = {name: torch.cat([v if v.ndim else v.view(1, 1) for v in values]) for name, values in parts.items()}
        return {LOSS: torch.stack(losses), TIMESTEP: batch["t"], **joined}

    def seen(self, at: int, outputs: Mapping[str, torch.Tensor]) -> None:
        """Check the loss of each part of a step, and take in its terms."""
        for loss in outputs[LOSS].tolist():
            check_loss(loss, "the diffusion model", f"step {at + 1} of {self.options.steps}", ADVICE)
        self.bins.add(outputs[TIMESTEP], {name: v for name, v in outputs.items() if name not in (LOSS, TIMESTEP)})

    def _terms(
        self, x0: torch.Tensor, labels: torch.Tensor, shown: torch.Tensor, t: torch.Tensor, eps: torch.Tensor
    ) -> Mapping[str, torch.Tensor]:
        model = self.model
        abars = model.abars(model.device)
        abar = abars[t].view(-1, 1, 1, 1)
        x_t = abar.sqrt() * x0 + (1 - abar).sqrt() * eps
        with torch.autocast(model.device.type, torch.bfloat16, enabled=self.options.precision == "bf16"):
            eps_hat, v = model.predict(x_t, t, shown)
        eps_hat = eps_hat.float()
        error = F.mse_loss(eps_hat, eps, reduction="none").flatten(1).mean(1)
        terms = {"denoising": error * own_weight(model.prediction, abar.flatten())}
        if v is not None:
            terms["variance"] = variational_bound(x0, x_t, eps_hat, v.float(), t, abars)
        return {**terms, **self.terms(Prediction(x0=x0, x_t=x_t, eps_hat=eps_hat, abar=abar, labels=labels))}

    def finish(self) -> None:
        """Keep the average where there is one, and leave the network ready to sample."""
        check_weights(self.parameters, "the diffusion model", f"step {self.done} of {self.options.steps}", ADVICE)
        self.average.put()
        self.model.transformer.disable_gradient_checkpointing()
        self.model.transformer.eval()

    def state_dict(self, random: torch.Tensor) -> dict[str, Any]:
        """``random``: the state of the generator after the draws of the latest step."""
        memory = getattr(self.terms, "state_dict", dict)
        return {
            "step": self.done,
            "parameters": [p.detach() for p in self.parameters],
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.values,
            "random": random,
            "terms": memory(),
            "bins": self.bins.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.done = state["step"]
        for parameter, saved in zip(self.parameters, state["parameters"], strict=True):
            parameter.data.copy_(saved)
        self.optimiser.load_state_dict(state["optimiser"])
        self.rate.bind()
        self.average.values = state["average"]
        self.random.set_state(state["random"].cpu())
        if state["terms"]:
            self.terms.load_state_dict(state["terms"])  # type: ignore[attr-defined]
        self.bins.load_state_dict(state["bins"])


def _rate(step: int, options: Training) -> float:
    """Learning rate at ``step`` as a share of its peak."""
    rise = min(1.0, (step + 1) / options.warmup) if options.warmup else 1.0
    return rise * (1 - step / options.steps if options.decay == "linear" else 1.0)
