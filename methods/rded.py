"""RDED (Sun, Shi, Yu & Lin, CVPR 2024): the crops of real images that a teacher finds most typical, as collages.

Values follow LINs-lab/RDED at 3f6453d (synthesize/main.py, synthesize/utils.py, scripts/).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ddbench import levels, seeding
from ddbench.learning.teacher import KNOWLEDGE, Taught, Teacher, TrainedTeacher
from ddbench.types import Count, Distiller, Fraction, LabeledImages, Needs, NonNegativeInt, Preparation, StageContext

if TYPE_CHECKING:
    import torch

SMALL = 64
"""pixels up to which RDED's scripts have a factor of 1"""
AT_ONCE = 256
"""crops that the teacher scores at once"""


@dataclass(frozen=True)
class RDED(Distiller):
    """For each class, ``pool`` real images are drawn and ``crops`` random square crops taken of each, resized to a
    ``factor``-th of the side. The teacher scores a crop, zero-padded to the whole size, by its cross-entropy with the
    class; of each image the crop of least loss is kept, and of all images the ipc * factor^2 of least loss, in order.
    The first ipc of them are the upper left parts of the ipc images, the next ipc the parts to their right, and so on.

    Images are collages at the size of the dataset's images. Where a class has fewer images than are needed, crops of
    second best loss follow.
    """

    teacher: Teacher = field(default_factory=lambda: TrainedTeacher(network="resnet18-modified", sides=(32, 64, 224)))
    """``TrainedTeacher``, which the plan trains once for a dataset, or ``TeacherFile``, a checkpoint; equal to that of
    the protocol, it is shared with it"""
    factor: NonNegativeInt = 0
    """crops a side of an image; 0: 1 up to 64 px, 2 above, as in RDED's scripts"""
    crops: Count = 5
    """crops tried of each image (``num-crop``)"""
    pool: Count = 300
    """real images a class that are tried (``mipc``); at most all of them"""
    area: tuple[Fraction, Fraction] = (0.08, 1.0)
    """share of the area of an image that a crop keeps, uniform between these (torchvision's RandomResizedCrop)"""

    def preparations(self, seed: int) -> tuple[Preparation, ...]:
        return (self.teacher,)

    def networks(self) -> tuple[str, ...]:
        return self.teacher.networks()

    def reads(self) -> tuple[str, ...]:
        return ("factor", "crops", "pool", "area")

    def needs(self) -> Needs:
        return Needs(knowledge=KNOWLEDGE)

    def distill(self, real: LabeledImages, state: Taught, ipc: int, ctx: StageContext) -> LabeledImages:
        """Raises ValueError when there are not enough crops of a class for its images."""
        import torch

        _, height, width = real.shape
        factor = self.factor or (1 if min(height, width) <= SMALL else 2)
        images, labels = [], []
        for k, name in enumerate(real.classes):
            random = seeding.generator("rded", ctx.seed, name)
            members = (real.labels == k).nonzero()[:, 0]
            drawn = members[torch.randperm(len(members), generator=random)[: self.pool]]
            size = (height // factor, width // factor)
            crops = torch.stack([self._crops(real.images[i], size, random) for i in drawn.tolist()])
            losses = self._losses(state, crops, (height, width), state.classes.index(name), ctx)
            chosen = best(crops, losses, ipc * factor**2, name)
            images.append(levels.to_levels(collage(chosen, (height, width), factor) * levels.LEVELS, [name] * ipc))
            labels.append(torch.full((ipc,), k))
            ctx.progress(k + 1, len(real.classes))
        return LabeledImages(torch.cat(images), torch.cat(labels), real.classes)

    def _crops(self, image: torch.Tensor, size: tuple[int, int], random: torch.Generator) -> torch.Tensor:
        """``crops`` random crops of a uint8 image (C, H, W), resized: float (crops, C, *size) in [0, 1]."""
        import torch
        import torch.nn.functional as F

        x = image.float()[None] / levels.LEVELS
        height, width = image.shape[1:]
        found = []
        for _ in range(self.crops):
            share, down, right = torch.rand(3, generator=random, dtype=torch.float64).tolist()
            share = self.area[0] + (self.area[1] - self.area[0]) * share
            side = min(max(1, round(math.sqrt(share * height * width))), height, width)
            top, left = int(down * (height - side + 1)), int(right * (width - side + 1))
            part = x[:, :, top : top + side, left : left + side]
            found.append(F.interpolate(part, size=size, mode="bilinear", align_corners=False, antialias=True))
        return torch.cat(found)

    def _losses(
        self, teacher: Taught, crops: torch.Tensor, size: tuple[int, int], label: int, ctx: StageContext
    ) -> torch.Tensor:
        """The teacher's cross-entropy with class ``label`` of crops (n, m, C, h, w), padded to ``size``: (n, m)."""
        import torch
        import torch.nn.functional as F

        from ddbench.learning.colours import normalise

        n, m = crops.shape[:2]
        below, beside = size[0] - crops.shape[3], size[1] - crops.shape[4]
        pad = (beside // 2, beside - beside // 2, below // 2, below - below // 2)
        losses = []
        with torch.no_grad(), seeding.seeded("rded-teacher"):
            for part in crops.flatten(0, 1).split(AT_ONCE):
                logits = teacher(F.pad(normalise(part.to(ctx.device)), pad))
                losses.append(-logits.log_softmax(1)[:, label].cpu())
        return torch.cat(losses).view(n, m)


def best(crops: torch.Tensor, losses: torch.Tensor, count: int, name: str) -> torch.Tensor:
    """The ``count`` crops, (count, C, h, w), of least loss in order: the best of each image first, then, where images
    are too few, the second best of each, and so on. crops: (n, m, C, h, w); losses: (n, m).

    Raises ValueError where there are fewer crops than ``count``.
    """
    import torch

    n, m = losses.shape
    if n * m < count:
        raise ValueError(f"class {name!r} needs {count} crops, and {n} images have {m} each: raise rded.crops")
    ranked = losses.sort(dim=1, stable=True)
    rows = []
    for rank in range(-(-count // n)):
        order = ranked.values[:, rank].argsort(stable=True)
        rows.append(crops[order, ranked.indices[order, rank]])
    return torch.cat(rows)[:count]


def collage(parts: torch.Tensor, size: tuple[int, int], factor: int) -> torch.Tensor:
    """Parts (n * factor^2, C, h, w) as n images (n, C, *size), row by row: part k of image i is ``parts[k * n + i]``.
    What the factor leaves over goes to the first rows and columns, for which parts are resized (nearest)."""
    import torch
    import torch.nn.functional as F

    n = len(parts) // factor**2
    images = torch.zeros(n, parts.shape[1], *size)
    tops, lefts = (_bounds(length, factor) for length in size)
    for k in range(factor**2):
        (top, bottom), (left, right) = tops[k // factor], lefts[k % factor]
        part = F.interpolate(parts[k * n : (k + 1) * n], size=(bottom - top, right - left))
        images[:, :, top:bottom, left:right] = part
    return images


def _bounds(length: int, parts: int) -> list[tuple[int, int]]:
    """Beginning and end of ``parts`` parts of a length, the first ones longer by one where it is no multiple."""
    sizes = [length // parts + (i < length % parts) for i in range(parts)]
    ends = [sum(sizes[: i + 1]) for i in range(parts)]
    return [(end - size, end) for end, size in zip(ends, sizes, strict=True)]
