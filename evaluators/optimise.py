"""Optimisers and learning rates of a protocol."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from evaluators.protocols import HardLabels


def make_optimiser(protocol: HardLabels, model: torch.nn.Module) -> torch.optim.Optimizer:
    """The optimiser of ``protocol`` over the parameters of ``model``."""
    parameters = list(model.parameters())
    groups: list[dict[str, Any]] = [{"params": parameters}]
    if not protocol.decay_all:
        groups = [
            {"params": [p for p in parameters if p.ndim > 1]},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
    if protocol.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=protocol.lr, weight_decay=protocol.weight_decay, fused=True)
    return torch.optim.SGD(groups, lr=protocol.lr, momentum=protocol.momentum, weight_decay=protocol.weight_decay)


def learning_rate(protocol: HardLabels, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The learning rate of optimiser step ``step``, counted from 0."""
    epoch = step // steps_per_epoch
    if protocol.schedule == "cosine":
        return protocol.lr * 0.5 * (1 + math.cos(math.pi * step / (epochs * steps_per_epoch)))
    if protocol.schedule == "steps":
        return protocol.lr * 0.2 ** sum(epoch >= at for at in (2 * epochs // 3, 5 * epochs // 6))
    return protocol.lr * 0.5 * (1 + math.cos(math.pi * epoch / epochs / 2))
