"""What steps put out, kept on the device and seen on the CPU some steps later: each look waits for the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from ddbench import turns
from ddbench.steps.graphs import Outputs
from ddbench.steps.modes import Mode

Seen = Callable[[int, Outputs], None]
"""called with the number of a step and what it put out, on the CPU"""


@dataclass
class Results:
    """Gives what is put in to ``seen``, in order, at most ``mode.kept`` steps later, in one transfer for each name."""

    mode: Mode
    seen: Seen
    numbers: list[int] = field(default_factory=list)
    """of the steps that are kept"""
    buffers: dict[str, torch.Tensor] = field(default_factory=dict)
    """what they put out, (mode.kept, ...) on the device"""

    def put(self, at: int, outputs: Outputs) -> None:
        """Take what step ``at`` put out; it is copied, and may change afterwards."""
        if self.mode.kept == 1:
            self.seen(at, {name: value.detach().cpu() for name, value in outputs.items()})
            return
        shapes = {name: (value.shape, value.dtype) for name, value in outputs.items()}
        if shapes != {name: (buffer.shape[1:], buffer.dtype) for name, buffer in self.buffers.items()}:
            self.settle()
            self.buffers = {name: v.new_empty((self.mode.kept, *v.shape)) for name, v in outputs.items()}
        for name, value in outputs.items():
            self.buffers[name][len(self.numbers)].copy_(value.detach())
        self.numbers.append(at)
        if len(self.numbers) == self.mode.kept:
            self.settle()

    def settle(self) -> None:
        """Have what is kept seen."""
        numbers, self.numbers = self.numbers, []
        if not numbers:
            return
        turns.give_way()
        columns = {name: buffer[: len(numbers)].cpu() for name, buffer in self.buffers.items()}
        for i, at in enumerate(numbers):
            self.seen(at, {name: column[i] for name, column in columns.items()})
