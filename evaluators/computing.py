"""How a classifier is computed: device, precision, memory layout, compilation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from ddbench.computing import BACKEND, products
from ddbench.types import Compute


class Computed:
    """``model`` on its device, computed as ``compute`` says: float32 batches (N, C, H, W) in, float32 logits out.

    Weights stay float32. On a CPU, with the default ``compute``, this is ``model`` itself, bit for bit.
    """

    def __init__(self, model: torch.nn.Module, device: str, compute: Compute) -> None:
        self.model = model.to(device)
        self.precision = compute.precision
        self.channels_last = compute.channels_last
        if self.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.forward: Callable[[torch.Tensor], torch.Tensor] = self.model
        if compute.compile == "blocks":
            self.forward = torch.compile(self.model, backend=BACKEND, dynamic=False)
        self.kind = torch.device(device).type

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        if self.channels_last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.kind, dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            return self.forward(batch).float()

    def products(self) -> AbstractContextManager[None]:
        """Within the block, forward and backward products are those of its precision."""
        return products(self.precision)
