"""Real images: a seeded draw, the baseline of every table, and the whole train split, its upper bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ddbench import seeding
from ddbench.types import Distiller, LabeledImages, StageContext


@dataclass(frozen=True)
class RandomReal(Distiller):
    """Draws ``ipc`` train images of each class. The draw of a class depends on the seed and the class name alone,
    and the images of a smaller ipc are the first of a larger one."""

    separable: ClassVar[bool] = True

    def distill(self, real: LabeledImages, state: Any, ipc: int, ctx: StageContext) -> LabeledImages:
        index = draw(real, ipc, ctx.seed)
        return LabeledImages(images=real.images[index], labels=real.labels[index], classes=real.classes)


def draw(real: LabeledImages, ipc: int, seed: int) -> Any:
    """Indices, int64 (classes x ipc,), into ``real``: ``ipc`` images of each class, ordered by class."""
    import torch

    chosen = []
    for label, name in enumerate(real.classes):
        members = (real.labels == label).nonzero()[:, 0]
        order = torch.randperm(len(members), generator=seeding.generator("random", seed, name))
        chosen.append(members[order[:ipc]])
    return torch.cat(chosen)


@dataclass(frozen=True)
class Full(Distiller):
    """Classifiers train on the whole train split, once for a dataset, arch and protocol; nothing is distilled.

    The ipc that the protocol goes by is the number of images of the largest class.
    """

    whole: ClassVar[bool] = True

    def distill(self, real: LabeledImages, state: Any, ipc: int, ctx: StageContext) -> LabeledImages:
        return real
