"""The diffusion family as one method: a prior, perhaps fine-tuned, sampled perhaps under guidance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from ddbench.errors import BenchError
from ddbench.methods.diffusion.guidances.guidance import Guide, Steering
from ddbench.methods.diffusion.objectives.objective import Objective
from ddbench.methods.diffusion.priors.clustered import ClusteredPrior
from ddbench.methods.diffusion.priors.pretrained import PretrainedDiT
from ddbench.methods.diffusion.priors.prior import Prior
from ddbench.methods.diffusion.priors.scratch import ScratchPrior
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.methods.diffusion.starts.start import Start
from ddbench.methods.diffusion.training.finetune import FineTune
from ddbench.methods.diffusion.training.options import FineTuning
from ddbench.types import DataFacts, Distiller, LabeledImages, Needs, Preparation, StageContext

if TYPE_CHECKING:
    import torch

    from ddbench.methods.diffusion.model import DiffusionModel


PRIORS = (ScratchPrior, PretrainedDiT, ClusteredPrior)
"""what ``prior: {type: ...}`` can name; imported here so that it is known"""


@dataclass(frozen=True)
class Diffusion(Distiller):
    """Samples of a class-conditional diffusion model as the distilled set."""

    family: ClassVar[str] = "diffusion"

    prior: Prior = field(default_factory=ScratchPrior)
    """``{type: PretrainedDiT, source: ...}`` in a configuration takes a downloaded one instead"""
    objective: Objective | None = None
    """what fine-tuning adds to the denoising loss; None samples the prior as it is"""
    finetune: FineTuning = field(default_factory=FineTuning)
    start: Start | None = None
    """latents that sampling begins with, noised part of the way; None begins at pure noise"""
    guidance: Steering | None = None
    """what moves the latents of a class together while they are denoised"""
    sampler: Sampler = field(default_factory=Sampler)
    replicate: Literal["none", "fit", "prior"] = "none"
    """what is made anew for each distilled set, so that the spread over sets holds it: nothing, the fine-tuning, or the
    prior and the fine-tuning; captions say which"""

    def __post_init__(self) -> None:
        if self.guidance is not None:
            self.guidance.check(self.sampler)
        if self.objective and self.finetune.chunk and not self.separable:
            raise BenchError(
                f"{type(self.guidance).__name__} denoises all classes at once, and finetune.chunk={self.finetune.chunk}"
                " gives them several sets of weights: use finetune.chunk=0"
            )
        if self.replicate == "prior" and not isinstance(self.prior, ScratchPrior):
            loaded = type(self.prior).__name__
            raise BenchError(f"replicate=prior trains a prior for each set, and {loaded} is loaded: use replicate=fit")

    @property
    def separable(self) -> bool:  # type: ignore[override]
        """Unless a guidance couples the classes."""
        return self.guidance is None or not self.guidance.couples_classes()

    def exceeds_class(self) -> bool:
        """Of plain samples; a start or guidance may take clusters or images of the class, as many as are sampled."""
        return self.start is None and self.guidance is None

    def drawn_from(self) -> tuple[Distiller, ...]:
        own = replace(self, start=None, guidance=None)
        return own, replace(own, objective=None)

    def preparations(self, seed: int) -> tuple[Preparation, ...]:
        prior = self.prior
        tuned: tuple[Preparation, ...] = ()
        if self.replicate == "prior" and isinstance(prior, ScratchPrior):
            prior = replace(prior, seed=prior.seed + seed)
        if self.objective is not None:
            fit_seed = 0 if self.replicate == "none" else seed
            tuned = (FineTune(objective=self.objective, training=self.finetune, seed=fit_seed),)
        return prior, *tuned, *(self.guidance.preparations(seed) if self.guidance else ())

    def needs(self) -> Needs:
        return Needs(inputs="class-conditional prior", knowledge=self.prior.knowledge)

    def networks(self) -> tuple[str, ...]:
        return self.guidance.networks() if self.guidance else ()

    def reads(self) -> tuple[str, ...]:
        return "start", "guidance", "sampler"

    def problems(self, data: DataFacts, preparations: Sequence[Preparation]) -> Sequence[str]:
        priors = [one for one in preparations if isinstance(one, Prior)]
        if self.sampler.variance == "learned" and any(one.learns_variance(data.light) is False for one in priors):
            return ["sampler.variance=learned needs a prior that predicts it; this one has as many outputs as inputs."]
        return ()

    def distill(self, real: LabeledImages, state: DiffusionModel, ipc: int, ctx: StageContext) -> LabeledImages:
        import torch

        from ddbench.methods.diffusion.latents import class_means

        means = class_means(state.encoder, real, ctx) if self.guidance is not None else None
        latents = []
        position = {name: k for k, name in enumerate(real.classes)}
        with state.computed(self.sampler.precision, self.sampler.compile):
            for group in self._groups(state.chunks(real.classes), ipc):
                state.activate(group[0])
                first = position[group[0]]
                here = None if means is None else means[first : first + len(group)]
                drawn = self._sample(real, state, group, ipc, here, ctx).flatten(0, 1).cpu()
                _check_finite(group, drawn.split(ipc))
                latents.append(drawn)
                ctx.progress(first + len(group), len(real.classes))
        labels = torch.arange(len(real.classes)).repeat_interleave(ipc)
        names = [real.classes[k] for k in labels]
        return LabeledImages(state.decoder.decode(torch.cat(latents), names), labels, real.classes)

    def _sample(
        self,
        real: LabeledImages,
        state: DiffusionModel,
        names: tuple[str, ...],
        ipc: int,
        means: torch.Tensor | None,
        ctx: StageContext,
    ) -> torch.Tensor:
        """The latents (K, ipc, C, H, W) of the classes ``names``."""
        import torch

        from ddbench.methods.diffusion.context import SamplingContext
        from ddbench.methods.diffusion.denoise import Begun, denoise
        from ddbench.methods.diffusion.noise import SetNoise

        context = SamplingContext(names, ipc, real, state.encoder, state.decoder, ctx, state.beside)
        guide: Guide | None = self.guidance.begin(context) if self.guidance else None
        begun = self.start.latents(context) if self.start else None
        size = self.guidance.together(ipc) if self.guidance else ipc
        drawn = []
        for i in range(0, ipc, size):
            images = range(i, min(i + size, ipc))
            noise = SetNoise(ctx.seed, names, images, state.latent_shape)
            at = None
            if self.start and begun is not None:
                at = Begun(begun[:, images.start : images.stop], self.start.strength)
            drawn.append(denoise(state, noise, self.sampler, guide, means, at))
        return torch.cat(drawn, 1)

    def _groups(self, chunks: list[tuple[str, ...]], ipc: int) -> list[tuple[str, ...]]:
        """Classes denoised at once: of one chunk, and as many as fill a micro-batch; a class's set stays whole. All of
        them where a guidance couples them."""
        if not self.separable:
            return chunks
        size = max(1, self.sampler.micro_batch // ipc)
        if self.guidance and (most := self.guidance.classes_at_once()):
            size = min(size, most)
        return [chunk[i : i + size] for chunk in chunks for i in range(0, len(chunk), size)]


def _check_finite(names: Sequence[str], sampled: Sequence[torch.Tensor]) -> None:
    """Raises FloatingPointError for the first class of ``names`` whose latents are not finite."""
    for name, latents in zip(names, sampled, strict=True):
        if not latents.isfinite().all():
            raise FloatingPointError(
                f"the sampled latents of class {name!r} are not finite: lower the guidance or the learning rate"
            )
