"""Evaluation protocols: named, versioned, every detail a field. A detail that changes is a new version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.types import Count, Evaluation, LabeledImages, Network, NonNegative, Positive, Protocol, StageContext


@dataclass(frozen=True)
class HardLabels(Protocol):
    """Train a classifier from scratch on hard labels with cross-entropy, and judge it along the way."""

    epochs_by_ipc: tuple[tuple[int, int], ...]
    """((ipc, epochs), ...): the first row whose ipc is not below that of the set counts; beyond all, the last row"""
    optimiser: Literal["adamw"] = "adamw"
    lr: Positive = 2e-3
    weight_decay: NonNegative = 1e-2
    batch: Count = 64
    schedule: Literal["cosine"] = "cosine"
    """the learning rate falls to zero along half a cosine, changed at each batch"""
    min_side: Count = 16
    """smaller images are enlarged to this side, bilinearly, for training and test alike"""
    shift: float = 0.0625
    """random translation of each train image by up to this share of its side, borders repeated"""
    evaluations: Count = 10
    """points of the accuracy curve, equally spaced, the last at the end of training"""

    def epochs(self, ipc: int) -> int:
        for bound, epochs in self.epochs_by_ipc:
            if ipc <= bound:
                return epochs
        return self.epochs_by_ipc[-1][1]

    def evaluate(
        self, distilled: LabeledImages, test: LabeledImages, network: Network, ctx: StageContext
    ) -> Evaluation:
        from evaluators.classifier import train_and_judge

        return train_and_judge(self, distilled, test, network, ctx)


cpu_small_1 = HardLabels(epochs_by_ipc=((1, 200), (5, 120), (10, 80), (50, 40), (100, 30), (1000, 20)))
"""hard labels, AdamW, small shifts; for quick studies on small images"""
