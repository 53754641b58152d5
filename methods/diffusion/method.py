"""The diffusion family as one method: a prior, perhaps fine-tuned, sampled perhaps under guidance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from benchmark.types import Distiller, LabeledImages, Preparation, StageContext
from methods.diffusion.finetune import FineTune
from methods.diffusion.guidance import Guidance
from methods.diffusion.objective import Objective
from methods.diffusion.options import FineTuning
from methods.diffusion.pretrained import PretrainedDiT
from methods.diffusion.prior import Prior
from methods.diffusion.sampler import Sampler, sample_sets
from methods.diffusion.scratch import ScratchPrior

if TYPE_CHECKING:
    from methods.diffusion.model import DiffusionModel


PRIORS = (ScratchPrior, PretrainedDiT)
"""what ``prior: {type: ...}`` can name; imported here so that it is known"""


@dataclass(frozen=True)
class Diffusion(Distiller):
    """Samples of a class-conditional diffusion model as the distilled set."""

    family: ClassVar[str] = "diffusion"
    separable: ClassVar[bool] = True

    prior: Prior = field(default_factory=ScratchPrior)
    """``{type: PretrainedDiT, source: ...}`` in a configuration takes a downloaded one instead"""
    objective: Objective | None = None
    """what fine-tuning adds to the denoising loss; None samples the prior as it is"""
    finetune: FineTuning = field(default_factory=FineTuning)
    guidance: Guidance | None = None
    """what moves the latents of a class together while they are denoised"""
    sampler: Sampler = field(default_factory=Sampler)

    def preparations(self, seed: int) -> tuple[Preparation, ...]:
        if self.objective is None:
            return (self.prior,)
        return self.prior, FineTune(objective=self.objective, training=self.finetune)

    def reads(self) -> tuple[str, ...]:
        return "guidance", "sampler"

    def distill(self, real: LabeledImages, state: DiffusionModel, ipc: int, ctx: StageContext) -> LabeledImages:
        import torch

        from methods.diffusion.latents import class_means

        means = class_means(state.encoder, real, ctx) if self.guidance is not None else None
        latents = []
        position = {name: k for k, name in enumerate(real.classes)}
        for group in self._groups(state.chunks(real.classes), ipc):
            state.activate(group[0])
            first = position[group[0]]
            here = None if means is None else means[first : first + len(group)]
            sets = sample_sets(state, group, ipc, self.sampler, ctx.seed, self.guidance, here)
            latents.append(sets.flatten(0, 1).cpu())
            ctx.progress(first + len(group), len(real.classes))
        drawn = torch.cat(latents)
        if not torch.isfinite(drawn).all():
            raise FloatingPointError("the sampled latents are not finite: lower the guidance or the learning rate")
        labels = torch.arange(len(real.classes)).repeat_interleave(ipc)
        return LabeledImages(images=state.decoder.decode(drawn), labels=labels, classes=real.classes)

    def _groups(self, chunks: list[tuple[str, ...]], ipc: int) -> list[tuple[str, ...]]:
        """Classes denoised at once: of one chunk, and as many as fill a micro-batch; a class's set stays whole."""
        size = max(1, self.sampler.micro_batch // ipc)
        return [chunk[i : i + size] for chunk in chunks for i in range(0, len(chunk), size)]
