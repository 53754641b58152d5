"""How a network is computed: device, precision, memory layout, compilation."""

from __future__ import annotations

import torch

from ddbench.types import Compute


class Computed:
    """``model`` on its device, computed as ``compute`` says: float32 batches (N, C, H, W) in, float32 logits out.

    Weights stay float32. With the default ``compute`` this is ``model`` itself, bit for bit.
    """

    def __init__(self, model: torch.nn.Module, device: str, compute: Compute) -> None:
        self.model = model.to(device)
        self.channels_last = compute.channels_last
        if self.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.forward = torch.compile(self.model) if compute.compile else self.model
        self.kind = torch.device(device).type
        self.bfloat16 = compute.precision == "bfloat16"

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        if self.channels_last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.kind, dtype=torch.bfloat16, enabled=self.bfloat16):
            return self.forward(batch).float()
