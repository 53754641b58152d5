"""Parts of a protocol that are options of their own; apart from the code that applies them, so nothing heavy loads."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.types import Count, Fraction, NonNegative, Positive


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
