"""The prior trained from scratch on the train split: what a downloaded DiT is to ImageNet, for any other data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from benchmark import seeding
from benchmark.types import Count, LabeledImages, NonNegativeInt, Preparation, StageContext
from methods.diffusion.options import Training

if TYPE_CHECKING:
    from methods.diffusion.model import DiffusionModel


@dataclass(frozen=True)
class ScratchPrior(Preparation):
    """A class-conditional DiT in pixel space, trained on the train images alone."""

    stage: ClassVar[Literal["prior"]] = "prior"

    width: Count = 64
    layers: Count = 4
    heads: Count = 4
    patch: Count = 2
    timesteps: Count = 1000
    schedule: Literal["linear", "squaredcos_cap_v2"] = "linear"
    training: Training = field(default_factory=Training)
    seed: NonNegativeInt = 0

    def run(self, real: LabeledImages, before: Any, ctx: StageContext) -> DiffusionModel:
        import torch
        from diffusers import DDPMScheduler

        from methods.diffusion.autoencoder import PixelSpace
        from methods.diffusion.model import DiffusionModel, new_transformer
        from methods.diffusion.objective import Plain
        from methods.diffusion.train import train

        channels, height, width = real.shape
        if height != width or height % self.patch:
            raise ValueError(f"a DiT with patch {self.patch} needs square images that it divides, not {height}x{width}")
        with seeding.seeded("prior-init", self.seed):
            transformer = new_transformer(
                width=self.width,
                layers=self.layers,
                heads=self.heads,
                patch=self.patch,
                channels=channels,
                size=height,
                num_classes=len(real.classes),
            )
        # clip_sample defaults to True in diffusers and would be wrong for latents; clipping is the sampler's option.
        scheduler = DDPMScheduler(self.timesteps, beta_schedule=self.schedule, clip_sample=False)
        model = DiffusionModel(transformer.to(ctx.device), scheduler, real.classes, PixelSpace())
        latents = model.space.encode(real.images).to(ctx.device)
        ids = torch.tensor(model.ids(real.classes), device=ctx.device)[real.labels.to(ctx.device)]
        train(model, latents, ids, Plain(), self.training, seeding.generator("prior-train", self.seed), ctx)
        return model

    def save(self, state: DiffusionModel, folder: Path) -> None:
        state.save(folder)

    def load(self, folder: Path, before: Any, ctx: StageContext) -> DiffusionModel:
        from methods.diffusion.model import DiffusionModel

        return DiffusionModel.load(folder, ctx.device)
