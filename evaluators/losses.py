"""What a classifier is trained towards: labels as they are, mixed by CutMix, or a teacher's."""

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
    """int64 (N,), labels of what was pasted by CutMix"""
    kept: float = 1.0
    """share of each image that is its own"""


Loss = Callable[[torch.Tensor, torch.Tensor, Target], torch.Tensor]
"""(logits (N, classes), the batch (N, C, H, W) that they are of, its target) -> a scalar"""


def cross_entropy(logits: torch.Tensor, batch: torch.Tensor, target: Target) -> torch.Tensor:
    """Mean cross-entropy; of a mixed batch, that of both labels weighted by area."""
    own = F.cross_entropy(logits, target.labels)
    if target.other is None:
        return own
    return target.kept * own + (1 - target.kept) * F.cross_entropy(logits, target.other)


@dataclass(frozen=True)
class Distillation:
    """KL(softmax(teacher / T) || softmax(student / T)), mean over the batch; the teacher sees the batch as it is."""

    teacher: torch.nn.Module
    temperature: float

    def __call__(self, logits: torch.Tensor, batch: torch.Tensor, target: Target) -> torch.Tensor:
        with torch.no_grad():
            wanted = F.softmax(self.teacher(batch) / self.temperature, dim=1)
        return F.kl_div(F.log_softmax(logits / self.temperature, dim=1), wanted, reduction="batchmean")
