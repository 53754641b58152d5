"""A moving average of weights while they are trained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class WeightAverage:
    """average <- d * average + (1 - d) * weights after each step; it starts as a copy of the weights.

    ``decay`` is d; 0 averages nothing. With ``warmup`` it is at most (1 + n) / (10 + n) at step n = 0, 1, ...
    """

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float, warmup: bool) -> None:
        self.parameters, self.decay, self.warmup = parameters, decay, warmup
        self.values = [p.detach().clone() for p in parameters] if decay else []

    def weight(self, step: int) -> float:
        """The weight, 1 - d, of the weights after step ``step``, counted from 0."""
        return 1 - (min(self.decay, (1 + step) / (10 + step)) if self.warmup else self.decay)

    def update(self, weight: torch.Tensor) -> None:
        """Take in the weights as they are, by ``weight``, () of their type on their device."""
        if self.values:
            torch._foreach_lerp_(self.values, [p.detach() for p in self.parameters], [weight] * len(self.values))

    @torch.no_grad()
    def put(self) -> None:
        """Give the parameters the average, where there is one."""
        for value, parameter in zip(self.values, self.parameters, strict=False):
            parameter.copy_(value)
