"""Fine-tuning a prior: the methods differ in the objective and in nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from benchmark import seeding
from benchmark.types import LabeledImages, NonNegativeInt, Preparation, StageContext
from methods.diffusion.objective import Objective, Plain
from methods.diffusion.options import Training

if TYPE_CHECKING:
    from methods.diffusion.model import DiffusionModel


@dataclass(frozen=True)
class FineTune(Preparation):
    """All weights of the prior trained further under ``objective``."""

    stage: ClassVar[Literal["fit"]] = "fit"

    objective: Objective = field(default_factory=Plain)
    training: Training = field(default_factory=Training)
    seed: NonNegativeInt = 0

    def run(self, real: LabeledImages, before: DiffusionModel, ctx: StageContext) -> DiffusionModel:
        import torch

        from methods.diffusion.train import train

        latents = before.space.encode(real.images).to(ctx.device)
        ids = torch.tensor(before.ids(real.classes), device=ctx.device)[real.labels.to(ctx.device)]
        train(before, latents, ids, self.objective, self.training, seeding.generator("fit", self.seed), ctx)
        return before

    def save(self, state: DiffusionModel, folder: Path) -> None:
        state.save(folder)

    def load(self, folder: Path, before: Any, ctx: StageContext) -> DiffusionModel:
        from methods.diffusion.model import DiffusionModel

        return DiffusionModel.load(folder, ctx.device)
