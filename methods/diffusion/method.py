"""The diffusion family as one method: a prior, perhaps fine-tuned, sampled perhaps under guidance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from benchmark.types import Distiller, LabeledImages, Preparation, StageContext
from methods.diffusion.finetune import FineTune
from methods.diffusion.guidance import Guidance
from methods.diffusion.objective import Objective
from methods.diffusion.options import Training
from methods.diffusion.prior import ScratchPrior
from methods.diffusion.sampler import Sampler, sample_sets

if TYPE_CHECKING:
    from methods.diffusion.model import DiffusionModel


@dataclass(frozen=True)
class Diffusion(Distiller):
    """Samples of a class-conditional diffusion model as the distilled set."""

    family: ClassVar[str] = "diffusion"

    prior: ScratchPrior = field(default_factory=ScratchPrior)
    objective: Objective | None = None
    """what fine-tuning adds to the denoising loss; None samples the prior as it is"""
    finetune: Training = field(default_factory=lambda: Training(steps=300, lr=2e-4))
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

        latents = []
        chunk = max(1, self.sampler.micro_batch // ipc)  # classes at once; each class's set stays whole
        for start in range(0, len(real.classes), chunk):
            names = real.classes[start : start + chunk]
            means = None
            if self.guidance is not None:
                means = torch.stack(
                    [state.space.encode(real.of_class(start + k)).mean(0) for k in range(len(names))]
                ).to(state.device)
            latents.append(sample_sets(state, names, ipc, self.sampler, ctx.seed, self.guidance, means).flatten(0, 1))
        drawn = torch.cat(latents).cpu()
        if not torch.isfinite(drawn).all():
            raise FloatingPointError("the sampled latents are not finite: lower the guidance or the learning rate")
        images = state.space.decode(drawn)
        labels = torch.arange(len(real.classes)).repeat_interleave(ipc)
        return LabeledImages(images=images, labels=labels, classes=real.classes)
