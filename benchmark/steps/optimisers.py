"""Optimisers whose step can be captured, and learning rates that change from step to step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from ddbench.steps.modes import Mode


def adamw(parameters: Iterable[Any], mode: Mode, **options: Any) -> torch.optim.AdamW:
    """AdamW, fused; ``parameters`` and ``options`` as torch's."""
    return torch.optim.AdamW(parameters, fused=True, capturable=mode.device.type == "cuda", **options)


def sgd(parameters: Iterable[Any], mode: Mode, **options: Any) -> torch.optim.SGD:
    """SGD; fused on a card, where no other form takes a learning rate from the device. On a CPU the list form, which
    rounds as the loop over parameters does and costs less Python."""
    return torch.optim.SGD(parameters, fused=mode.apart, foreach=not mode.apart, **options)


def rate(value: float) -> torch.Tensor:
    """A learning rate as part of the draws of a step: float64 ()."""
    return torch.tensor(value, dtype=torch.float64)


class Rate:
    """The learning rate of all groups of ``optimiser``, set inside the step: a number on a CPU, else a tensor on the
    device, which the optimiser reads when it runs."""

    def __init__(self, optimiser: torch.optim.Optimizer, mode: Mode) -> None:
        self.optimiser, self.tensor = optimiser, None
        if mode.apart:
            # Fused kernels of a card read a float32; those of a CPU a double, as of a number.
            dtype = torch.float64 if mode.device.type == "cpu" else torch.float32
            self.tensor = torch.zeros((), dtype=dtype, device=mode.device)
        self.bind()

    def bind(self) -> None:
        """Give the optimiser this rate; again after its state was loaded."""
        if self.tensor is not None:
            for group in self.optimiser.param_groups:
                group["lr"] = self.tensor

    def set(self, value: torch.Tensor) -> None:
        """From here on the rate is ``value``, a ``rate`` out of the batch."""
        if self.tensor is not None:
            self.tensor.copy_(value)
            return
        number = float(value)  # on the CPU, where nothing waits for it
        for group in self.optimiser.param_groups:
            group["lr"] = number


def forget(optimiser: torch.optim.Optimizer) -> None:
    """The optimiser as before its first step, between two steps: its state is set to zero where it is, since a graph
    goes on with the same memory."""
    for state in optimiser.state.values():
        for value in state.values():
            if isinstance(value, torch.Tensor):
                value.zero_()
