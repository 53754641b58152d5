"""Losses of a classifier: hard labels, labels mixed by CutMix, a teacher's outputs, the set's own soft labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Target:
    """The labels of a batch of N."""

    labels: torch.Tensor
    """int64 (N,)"""
    other: torch.Tensor | None = None
    """int64 (N,), labels of the images that CutMix pasted from; None where nothing is mixed"""
    kept: float | torch.Tensor = 1.0
    """share of each image's area that CutMix left, a number or float64 ()"""
    soft: torch.Tensor | None = None
    """float32 (N, classes), the set's soft labels; None where it has none"""
    other_soft: torch.Tensor | None = None
    """float32 (N, classes), soft labels of the images that CutMix pasted from"""
    outputs: torch.Tensor | None = None
    """(N, classes), a teacher's logits that were stored for this batch as it is, cut and mixed"""

    @property
    def shares(self) -> tuple[float | torch.Tensor, float | torch.Tensor]:
        """The weights of an image's own label and of the other, each rounded to float32 once."""
        if isinstance(self.kept, torch.Tensor):
            return self.kept.float(), (1 - self.kept).float()
        return self.kept, 1 - self.kept


Loss = Callable[[torch.Tensor, torch.Tensor, Target], torch.Tensor]
"""(logits (N, classes), the batch (N, C, H, W) that gave them, its target) -> a scalar"""


def cross_entropy(logits: torch.Tensor, batch: torch.Tensor, target: Target) -> torch.Tensor:
    """Mean cross-entropy; of a mixed batch, that of both labels weighted by area."""
    own = F.cross_entropy(logits, target.labels)
    if target.other is None:
        return own
    kept, pasted = target.shares
    return kept * own + pasted * F.cross_entropy(logits, target.other)


def soft_cross_entropy(logits: torch.Tensor, batch: torch.Tensor, target: Target) -> torch.Tensor:
    """Mean cross-entropy with the set's own distributions: their KL divergence and a constant.

    Of a mixed batch the two distributions are mixed by area, in which cross-entropy is linear. One-hot rows give
    ``cross_entropy`` exactly. Raises ValueError when the set has no soft labels.
    """
    if target.soft is None:
        raise ValueError("this protocol trains on the soft labels of the set, and the set has none")
    own = F.cross_entropy(logits, target.soft)
    if target.other_soft is None:
        return own
    kept, pasted = target.shares
    return kept * own + pasted * F.cross_entropy(logits, target.other_soft)


@dataclass(frozen=True)
class Distillation:
    """KL(softmax(teacher / T) || softmax(student / T)), mean over the batch, which both networks see alike."""

    teacher: Callable[[torch.Tensor], torch.Tensor]
    """from a batch to logits"""
    temperature: float

    def __call__(self, logits: torch.Tensor, batch: torch.Tensor, target: Target) -> torch.Tensor:
        with torch.no_grad():
            outputs = self.teacher(batch)
        return divergence(logits, outputs, self.temperature)


@dataclass(frozen=True)
class StoredDistillation:
    """``Distillation`` with outputs of the teacher that were stored for these batches."""

    temperature: float

    def __call__(self, logits: torch.Tensor, batch: torch.Tensor, target: Target) -> torch.Tensor:
        if target.outputs is None:
            raise ValueError("this protocol trains on stored soft labels, and there are none for this batch")
        return divergence(logits, target.outputs.float(), self.temperature)


def divergence(logits: torch.Tensor, outputs: torch.Tensor, temperature: float) -> torch.Tensor:
    """KL(softmax(outputs / T) || softmax(logits / T)), mean over the batch, without the factor T^2."""
    with torch.no_grad():
        wanted = F.softmax(outputs / temperature, dim=1)
    return F.kl_div(F.log_softmax(logits / temperature, dim=1), wanted, reduction="batchmean")
