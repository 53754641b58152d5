"""How a classifier is trained and judged, as options; apart from the code that applies them, so nothing heavy loads."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, Self

from ddbench.types import Count, Fraction, NonNegative, NonNegativeInt, Positive


@dataclass(frozen=True)
class Augmentation:
    """What happens to each train image, in the order of the fields; then it is normalised. Every image of a batch has
    its own parameters. Values are in [0, 1] and are not clamped in between."""

    shuffle: Count = 1
    """shuffle this many strips of columns, then as many of rows (RDED, CVPR 2024); 1 does nothing"""
    crop: tuple[Fraction, Fraction] = (1.0, 1.0)
    """share of the area that a random crop keeps, uniform between these, resized to the whole; (1, 1) does nothing"""
    ratio: tuple[Positive, Positive] = (3 / 4, 4 / 3)
    """width / height of the crop, log-uniform between these"""
    flip: Fraction = 0.0
    """probability of a horizontal flip"""
    brightness: NonNegative = 0.0
    """the image moves towards black by a share drawn from U[-this, this]; brightness, contrast and saturation come in a
    random order"""
    contrast: NonNegative = 0.0
    """the same, towards its mean grey"""
    saturation: NonNegative = 0.0
    """the same, towards its grey version"""
    lighting: NonNegative = 0.0
    """standard deviation of the shift along the principal colours of ImageNet (Krizhevsky et al. 2012)"""


@dataclass(frozen=True)
class ManyClasses:
    """What changes where a dataset has many classes."""

    above: Count
    """it does with more classes than this; with exactly as many it does not"""
    lr: Positive
    weight_decay: NonNegative
    least_batch: Count
    """the batch is at least this large"""


ByIpc = tuple[tuple[int, int], ...]
"""((ipc, value), ...): the first row whose ipc is not below that of the set counts; beyond all, the last row"""


def by_ipc(rows: ByIpc, ipc: int) -> int:
    """The value that ``rows`` have for ``ipc``."""
    return next((value for bound, value in rows if ipc <= bound), rows[-1][1])


@dataclass(frozen=True)
class Recipe:
    """Optimiser, schedule, images and evaluations of a training from scratch; what it learns from is the protocol's."""

    epochs_by_ipc: ByIpc
    optimiser: Literal["sgd", "adamw"] = "adamw"
    lr: Positive = 2e-3
    momentum: Fraction = 0.0
    """of SGD; AdamW has its usual betas (0.9, 0.999)"""
    weight_decay: NonNegative = 1e-2
    decay_all: bool = True
    """False: one-dimensional parameters (biases, norms) do not decay"""
    batch: Count = 64
    """the last batch of an epoch takes what is left"""
    batch_by_ipc: ByIpc = ()
    """replaces ``batch`` where there are rows"""
    schedule: Literal["cosine", "steps", "upper_cosine"] = "cosine"
    """cosine: the learning rate falls to zero along half a cosine, changed at each batch. steps: times 0.2 after
    floor(2/3 E) and floor(5/6 E) of the E epochs. upper_cosine: times (1 + cos(pi e / 2 E)) / 2 in epoch e = 0, 1, ...,
    so that it ends at half"""
    min_side: Count = 16
    """without ``side``: smaller images are enlarged to this side, bilinearly, for training and test alike"""
    side: NonNegativeInt = 0
    """the shorter side is resized to this and the centre cropped, before augmentation; 0 keeps the images' size"""
    test_resize: NonNegativeInt = 0
    """with ``side``: shorter side of test images before the centre crop; 0 is ``side``"""
    normalisation: Literal["own", "imagenet"] = "own"
    """by mean and standard deviation of each channel over the distilled set, or by those of ImageNet"""
    shift: float = 0.0625
    """random translation of each train image by up to this share of its side, borders repeated"""
    augmentation: Augmentation | None = None
    """of RGB images, after the shift"""
    cutmix: bool = False
    """every batch is cut and mixed, one box a batch, its share ~ Beta(1, 1)"""
    many_classes: ManyClasses | None = None
    evaluations: Count = 10
    """points of the accuracy curve, equally spaced, the last at the end of training"""
    evaluate_every: NonNegativeInt = 0
    """where not 0, in place of ``evaluations``: epochs between two points of the curve"""
    evaluate_after: Fraction = 0.0
    """with ``evaluate_every``: points lie beyond this share of the epochs only, and at the end"""

    def epochs(self, ipc: int) -> int:
        return by_ipc(self.epochs_by_ipc, ipc)

    def batch_size(self, ipc: int) -> int:
        return by_ipc(self.batch_by_ipc, ipc) if self.batch_by_ipc else self.batch

    def judged_after(self, epochs: int) -> set[int]:
        """The epochs, counted from 1, after which the classifier is judged."""
        if not self.evaluate_every:
            return {round(epochs * (i + 1) / self.evaluations) for i in range(self.evaluations)}
        first = self.evaluate_after * epochs
        return {e for e in range(1, epochs) if e % self.evaluate_every == 0 and e > first} | {epochs}

    def for_classes(self, classes: int) -> Self:
        """This protocol as it is for so many classes."""
        many = self.many_classes
        if many is None or classes <= many.above:
            return self
        batch = max(self.batch, many.least_batch)
        return dataclasses.replace(self, lr=many.lr, weight_decay=many.weight_decay, batch=batch)
