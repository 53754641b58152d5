"""Fine-tuning a prior: the methods differ in the objective and in nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ddbench import seeding
from ddbench.methods.diffusion.objectives.objective import Objective, Plain
from ddbench.methods.diffusion.training.options import LORA_NEEDS, FineTuning
from ddbench.types import DataFacts, LabeledImages, NonNegativeInt, Preparation, StageContext

if TYPE_CHECKING:
    from ddbench.methods.diffusion.model import DiffusionModel


@dataclass(frozen=True)
class FineTune(Preparation):
    """The prior trained further under ``objective``, a chunk of classes at a time."""

    version: ClassVar[int] = 3
    """1: an average that warmed up and forgot the prior; DiffFit without gammas on qkv, class tables apart. 2: images
    drawn with replacement"""
    stage: ClassVar[Literal["fit"]] = "fit"

    objective: Objective = field(default_factory=Plain)
    training: FineTuning = field(default_factory=FineTuning)
    seed: NonNegativeInt = 0

    def problems(self, data: DataFacts) -> Sequence[str]:
        if self.training.parameters == "lora" and find_spec("peft") is None:
            return [LORA_NEEDS]
        return ()

    def run(self, real: LabeledImages, before: DiffusionModel, ctx: StageContext) -> DiffusionModel:
        import torch

        from ddbench.methods.diffusion.latents import training_latents
        from ddbench.methods.diffusion.model import put, share_copies
        from ddbench.methods.diffusion.training.train import train
        from ddbench.methods.diffusion.training.trainable import trainable

        latents = training_latents(before.encoder, real, self.training.mirror, ctx)
        latents.labels = torch.tensor(before.ids(real.classes))[real.labels]
        network = before.transformer
        prior = {name: p.detach().clone() for name, p in network.named_parameters()}
        size = self.training.chunk or len(real.classes)
        for start in range(0, len(real.classes), size):
            classes = range(start, min(start + size, len(real.classes)))
            index = torch.isin(real.labels, torch.tensor(list(classes))).nonzero()[:, 0]
            put(network, prior)
            scratch = ctx.scratch / str(start) if ctx.scratch else None
            if scratch:
                scratch.mkdir(exist_ok=True)
            with trainable(network, self.training) as (parameters, changed):
                random = seeding.generator("fit", self.seed, start)
                here = replace(ctx, scratch=scratch)
                train(before, latents, index, self.objective, self.training, random, here, parameters)
            named = dict(network.named_parameters())
            weights = {name: named[name].detach().clone() for name in changed}
            before.tuned.append((tuple(real.classes[k] for k in classes), share_copies(weights)))
        return before

    def save(self, state: DiffusionModel, folder: Path) -> None:
        state.save_tuned(folder)

    def load(self, folder: Path, before: DiffusionModel, ctx: StageContext) -> Any:
        before.load_tuned(folder)
        return before
