"""The prior trained from scratch on the train split: what a downloaded DiT is to ImageNet, for any other data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ddbench import seeding
from ddbench.methods.diffusion.priors.prior import Autoencoder, PixelSpace, Prior
from ddbench.methods.diffusion.training.options import Training
from ddbench.types import Count, DataFacts, LabeledImages, NonNegativeInt, StageContext

if TYPE_CHECKING:
    from ddbench.methods.diffusion.model import DiffusionModel


@dataclass(frozen=True)
class ScratchPrior(Prior):
    """A class-conditional DiT trained on the train images alone, on pixels or in the latents of an autoencoder."""

    autoencoder: Autoencoder = field(default_factory=PixelSpace)
    width: Count = 64
    layers: Count = 4
    heads: Count = 4
    patch: Count = 2
    timesteps: Count = 1000
    schedule: Literal["linear", "squaredcos_cap_v2"] = "linear"
    training: Training = field(default_factory=Training)
    seed: NonNegativeInt = 0

    def problems(self, data: DataFacts) -> Sequence[str]:
        look = self.autoencoder.look("methods.diffusion.prior.autoencoder", data.light)
        pixels, space = isinstance(self.autoencoder, PixelSpace), look.space
        if not pixels and space is None:
            return look.problems
        if space and space.channels != data.shape[0]:
            return [f"the prior's autoencoder takes {space.channels} channels, and {data.name} has {data.shape[0]}."]
        height, width = (side // (space.factor if space else 1) for side in data.shape[1:])
        return [*look.problems, *self._size_problems(height, width)]

    def _size_problems(self, height: int, width: int) -> list[str]:
        if height == width and not height % self.patch:
            return []
        return [f"a DiT with patch {self.patch} needs square latents that it divides, not {height}x{width}"]

    def learns_variance(self, light: bool) -> bool | None:
        return False

    def run(self, real: LabeledImages, before: Any, ctx: StageContext) -> DiffusionModel:
        import torch
        from diffusers import DDPMScheduler

        from ddbench.methods.diffusion.latents import training_latents
        from ddbench.methods.diffusion.model import DiffusionModel, new_transformer
        from ddbench.methods.diffusion.objectives.objective import Plain
        from ddbench.methods.diffusion.training.train import train

        codec = self.autoencoder.open(ctx.device)
        channels, height, width = codec.latent_shape(real.shape)
        if problems := self._size_problems(height, width):
            raise ValueError(problems[0])
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
        model = DiffusionModel(transformer.to(ctx.device), scheduler, real.classes, codec, codec)
        latents = training_latents(codec, real, self.training.mirror, ctx)
        random = seeding.generator("prior-train", self.seed)
        train(model, latents, torch.arange(len(real)), Plain(), self.training, random, ctx)
        return model

    def save(self, state: DiffusionModel, folder: Path) -> None:
        state.save(folder)

    def load(self, folder: Path, before: Any, ctx: StageContext) -> DiffusionModel:
        from ddbench.methods.diffusion.model import DiffusionModel

        return DiffusionModel.load(folder, ctx.device, *self.autoencoder.computed)
