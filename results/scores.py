"""DD-Ranking's scores (Li et al., arXiv 2505.13300): what a set is worth beside random images, without what soft labels
and augmentation add to any images. Accuracies are fractions; the formulas are in the docstrings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

WEIGHT = 0.5
"""w and gamma: both halves of a score weigh the same, as on DD-Ranking's leaderboard"""


def label_robust(syn_hard: float, real_hard: float, syn_any: float, random_any: float, weight: float = WEIGHT) -> float:
    """LRS = (e^a - e^-1) / (e - e^-1) with a = w IOR - (1 - w) HLR.

    HLR = real_hard - syn_hard is what hard labels lose against the whole train split; IOR = syn_any - random_any is
    what the set gains over as many random images under the labels of the method's own evaluation. All are fractions, so
    that a is from -1 to 1 and the score from 0 to 1; a set as good as the real data under hard labels, and no better
    than random under soft ones, has 0.27.
    """
    return _scaled(weight * (syn_any - random_any) - (1 - weight) * (real_hard - syn_hard))


def augmentation_robust(
    syn_aug: float, random_aug: float, syn_plain: float, random_plain: float, weight: float = WEIGHT
) -> float:
    """ARS = (e^b - e^-1) / (e - e^-1) with b = g (syn_aug - random_aug) + (1 - g) (syn_plain - random_plain): the gain
    over as many random images with and without augmentation of the images that are trained on. Fractions."""
    return _scaled(weight * (syn_aug - random_aug) + (1 - weight) * (syn_plain - random_plain))


def _scaled(value: float) -> float:
    return (math.exp(value) - math.exp(-1)) / (math.e - math.exp(-1))


def augments(protocol: Mapping[str, Any]) -> bool:
    """Whether a protocol, as a record describes it, changes images at random while it trains on them."""
    augmentation = protocol.get("augmentation") or {}
    crops = tuple(augmentation.get("crop", (1.0, 1.0))) != (1.0, 1.0)
    strengths = ("flip", "brightness", "contrast", "saturation", "lighting")
    others = any(augmentation.get(name) for name in strengths) or augmentation.get("shuffle", 1) > 1
    return bool(protocol.get("shift") or protocol.get("cutmix") or protocol.get("siamese") or crops or others)
