"""The options of training and judging a classifier, without the code that applies them: no torch is loaded."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, Self

from ddbench.types import Count, Fraction, ImageView, NonNegative, NonNegativeInt, Positive, Shape


@dataclass(frozen=True)
class Augmentation:
    """Random changes of each train image, applied in the order of the fields and before normalisation. Every image of
    a batch has parameters of its own. Values are in [0, 1] and are not clamped in between."""

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

    @property
    def colours(self) -> bool:
        """Whether it changes colours, which only RGB images have."""
        return any((self.brightness, self.contrast, self.saturation, self.lighting))


@dataclass(frozen=True)
class ManyClasses:
    """Options that replace those of the recipe for a dataset of many classes."""

    above: Count
    """they apply to more classes than this, not to exactly as many"""
    lr: Positive
    weight_decay: NonNegative
    least_batch: Count
    """the batch is at least this large"""


SIAMESE = ("color", "crop", "cutout", "flip", "scale", "rotate")
"""operations of DSA"""

ByIpc = tuple[tuple[int, int], ...]
"""((ipc, value), ...): the value of a set is that of the first row whose ipc is at least the set's, or else of the last
row"""


def by_ipc(rows: ByIpc, ipc: int) -> int:
    """The value of ``rows`` for ``ipc``."""
    return next((value for bound, value in rows if ipc <= bound), rows[-1][1])


@dataclass(frozen=True)
class Recipe:
    """Optimiser, schedule, images and evaluations of training a classifier from scratch. The labels that it learns from
    are the protocol's."""

    epochs_by_ipc: ByIpc
    two_thirds_at: NonNegativeInt = 0
    """with exactly this many classes, epochs are two thirds of ``epochs_by_ipc``, rounded down to hundreds (at least
    1); 0: never. 100 in the code of IDC and of Minimax (``ipc_epoch`` in argument.py)"""
    optimiser: Literal["sgd", "adamw"] = "adamw"
    lr: Positive = 2e-3
    momentum: Fraction = 0.0
    """of SGD; AdamW has its usual betas (0.9, 0.999)"""
    weight_decay: NonNegative = 1e-2
    decay_all: bool = True
    """False: one-dimensional parameters (biases, norms) do not decay"""
    batch: Count = 64
    """the last batch of an epoch may be smaller"""
    batch_by_ipc: ByIpc = ()
    """replaces ``batch`` where it has rows"""
    second_forward: bool = False
    """before each step the network, in train mode, also sees the batch without gradient, so that running statistics of
    batch norm move twice a step. RDED's loop does this for its train accuracy, and after CutMix, which changes its
    batch in place: both passes see the mixed images (``train`` in validation/main.py)"""
    schedule: Literal["cosine", "steps", "upper_cosine", "tenth_past_half", "cosine_by_epoch"] = "cosine"
    """cosine: the learning rate falls to zero along half a cosine, changed at each batch. steps: times 0.2 after
    floor(2/3 E) and floor(5/6 E) of the E epochs. upper_cosine: times (1 + cos(pi e / 2 E)) / 2 in epoch e = 0, 1, ...,
    so that it ends at half. tenth_past_half: times 0.1 after E // 2 + 2 of E + 1 epochs, with a fresh optimiser (DC's
    code, which counts from 0 and changes the rate after epoch E // 2 + 1). cosine_by_epoch: half a cosine to zero,
    changed after each epoch"""
    min_side: Count = 16
    """pixels, without ``side``: smaller images are enlarged to this side, bilinearly, in training and test"""
    side: NonNegativeInt = 0
    """pixels: the shorter side is resized to this and the centre cropped, before augmentation; 0 keeps the size"""
    test_resize: NonNegativeInt = 0
    """pixels, with ``side``: shorter side of test images before the centre crop; 0 is ``side``"""
    test_images: Literal["stored", "decoded"] = "stored"
    """with ``side``. stored: the dataset's images at its own resolution, resized again (bilinear, antialiased).
    decoded: resized once from the original files with Pillow's bilinear filter, as the peers do; a dataset without
    files (digits, CIFAR) gives its own, which are then resized as with ``stored``"""
    normalisation: Literal["own", "imagenet"] = "own"
    """by mean and standard deviation of each channel over the distilled set, or by those of ImageNet (of images that
    are not RGB by their means)"""
    mean: tuple[float, ...] = ()
    """of each channel of values in [0, 1], to normalise by together with ``sd``; (): as ``normalisation`` says"""
    sd: tuple[Positive, ...] = ()
    """standard deviation of each channel"""
    siamese: str = ""
    """operations of DSA, joined by underscores, on normalised images without ``side``: one of them is drawn for each
    batch, each image with its own parameters; empty: none"""
    shift: float = 0.0625
    """random translation of each train image by up to this share of its side, borders repeated"""
    augmentation: Augmentation | None = None
    """after the shift"""
    cutmix: bool = False
    """every batch is cut and mixed, one box a batch, its share ~ Beta(1, 1)"""
    many_classes: ManyClasses | None = None
    evaluations: Count = 10
    """number of points of the accuracy curve, equally spaced, the last at the end of training"""
    evaluate_every: NonNegativeInt = 0
    """epochs between two points of the curve, in place of ``evaluations``; 0: as ``evaluations`` says"""
    evaluate_after: Fraction = 0.0
    """with ``evaluate_every``: points before this share of the epochs are left out"""

    def __post_init__(self) -> None:
        if self.test_resize and self.test_resize < self.side:
            raise ValueError(f"test_resize is {self.test_resize}: a crop of side {self.side} does not fit into it")
        if len(self.mean) != len(self.sd):
            raise ValueError(f"mean has {len(self.mean)} values and sd {len(self.sd)}: give both, one for each channel")
        if self.siamese and self.side:
            raise ValueError("siamese is for images at their own size: leave side at 0")
        for name in filter(None, self.siamese.split("_")):
            if name not in SIAMESE:
                raise ValueError(f"siamese names {name!r}; the operations are {', '.join(SIAMESE)}")

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
        """This recipe for a dataset of so many classes."""
        found, many = self, self.many_classes
        if classes == self.two_thirds_at:
            rows = tuple((ipc, max(1, 2 * epochs // 3 // 100 * 100)) for ipc, epochs in self.epochs_by_ipc)
            found = dataclasses.replace(found, epochs_by_ipc=rows)
        if many is not None and classes > many.above:
            batch = max(self.batch, many.least_batch)
            found = dataclasses.replace(found, lr=many.lr, weight_decay=many.weight_decay, batch=batch)
        return found

    def shape_of(self, shape: Shape) -> Shape:
        """The shape in which the network gets images of ``shape``."""
        channels, height, width = shape
        if self.side:
            return channels, self.side, self.side
        grow = max(1.0, self.min_side / min(height, width))
        return channels, round(height * grow), round(width * grow)

    def test_view(self) -> ImageView | None:
        """The view that ``test_images`` asks for; None where the dataset's own images are judged."""
        if self.test_images == "stored" or not self.side:
            return None
        return ImageView(self.test_resize or self.side, self.side)
