"""The prior of unlabelled images: conditioned on clusters of them, which the validation part gives names of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ddbench import seeding
from ddbench.methods.diffusion.priors.scratch import ScratchPrior
from ddbench.types import Count, DataFacts, LabeledImages, StageContext

if TYPE_CHECKING:
    from ddbench.methods.diffusion.model import DiffusionModel


@dataclass(frozen=True)
class ClusteredPrior(ScratchPrior):
    """A DiT trained on the train images without their labels.

    Their latents are clustered by k-means; each cluster becomes a pseudo-class, and clusters that are matched to one
    class share its condition. The match is by the labels of the validation images alone: a cluster goes to the class of
    most of its validation images, but every class gets one.
    """

    knowledge: ClassVar[str] = "labels of the validation part, by which clusters are matched to classes (none of train)"
    reads_validation: ClassVar[bool] = True

    clusters: Count = 10
    """K, given; at least the number of classes"""
    n_init: Count = 10
    """starts of k-means of which the best is kept"""

    def problems(self, data: DataFacts) -> Sequence[str]:
        if self.clusters < len(data.classes):
            return [f"{self.clusters} clusters cannot be matched to {len(data.classes)} classes: raise prior.clusters"]
        if data.train_images is not None and self.clusters > data.train_images:
            return [f"{data.train_images:,} train images do not make {self.clusters:,} clusters: lower prior.clusters"]
        return super().problems(data)

    def run(self, real: LabeledImages, before: Any, ctx: StageContext) -> DiffusionModel:
        """Raises ValueError for fewer train images than clusters. Logs which share of the validation images has the
        class of its cluster, ``matched``."""
        import torch

        from ddbench.methods.diffusion.context import k_means
        from ddbench.methods.diffusion.priors.clusters import encoded, matched, nearest

        codec, held_out = self.autoencoder.open(ctx.device), ctx.validation
        if held_out is None:
            raise ValueError("ClusteredPrior was given no validation images to match its clusters by")
        latents = encoded(codec, real)
        centres = k_means(latents, self.clusters, seeding.stream("prior-clusters", self.seed), self.n_init)
        labels = torch.tensor([real.classes.index(name) for name in held_out.classes])[held_out.labels]
        near = nearest(encoded(codec, held_out), centres)
        owner = matched(near, labels, self.clusters, len(real.classes))
        ctx.log({"matched": float((owner[near] == labels).double().mean())})
        return super().run(LabeledImages(real.images, owner[nearest(latents, centres)], real.classes), before, ctx)
