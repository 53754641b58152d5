"""2x2 average pooling, which is a third of a small ConvNet's time on a CPU in torch's form, at the speed of memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

LEAST_VALUES = 2**16
"""below, the launches of a few operations cost more than they save"""


class HalvingPool(nn.AvgPool2d):
    """(N, C, H, W) -> (N, C, H // 2, W // 2), with the bits of ``nn.AvgPool2d(2)``, which it is on a card, under the
    compiler, in other types than float32 and for odd sides."""

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel() < LEAST_VALUES or x.dtype != torch.float32 or x.device.type != "cpu" or x.ndim != 4:
            return super().forward(x)
        # The form with channels last is fast, and where both layouts fit torch chooses that of the output.
        plain = x.is_contiguous() and not x.is_contiguous(memory_format=torch.channels_last)
        if not plain or x.shape[2] % 2 or x.shape[3] % 2 or torch.compiler.is_compiling():
            return super().forward(x)
        return _Mean.apply(x)


class _Linear(torch.autograd.Function):
    """A linear map over the last two dimensions of (N, C, H, W), which ``torch.func`` can transform too."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Nothing is kept: the gradient of a linear map does not depend on where it is taken."""

    # Static methods in torch, which calls them by the class: as class methods they serve both maps.
    @classmethod
    def jvp(cls, ctx: Any, tangent: torch.Tensor) -> torch.Tensor:
        """The map itself, of a direction."""
        return cls.apply(tangent)

    @classmethod
    def vmap(cls, info: Any, dimensions: tuple[int | None, ...], x: torch.Tensor) -> tuple[torch.Tensor, int]:
        """The rule of ``torch.vmap``, of x with one dimension more: its elements are images like all others."""
        (dimension,) = dimensions
        assert dimension is not None
        stacked = x.movedim(dimension, 0)
        return cls.apply(stacked.flatten(0, 1).contiguous()).unflatten(0, stacked.shape[:2]), 0


class _Mean(_Linear):
    """The mean of each 2x2 square."""

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        # Added in the order of torch's kernel, whose sum begins with a zero: so -0 becomes 0, and none is left.
        above, below = x[..., 0::2, :], x[..., 1::2, :]
        total = above[..., 0::2] + above[..., 1::2]
        return total.add_(below[..., 0::2]).add_(below[..., 1::2]).add_(0.0).mul_(0.25)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return _Spread.apply(gradient)


class _Spread(_Linear):
    """A quarter of each value in each place of its square: the gradient of ``_Mean``, as that is of this."""

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        n, channels, height, width = x.shape
        quarter = x.mul(0.25).add_(0.0)
        spread = x.new_empty(n, channels, height, 2, width, 2)
        spread[:, :, :, 0, :, 0] = quarter
        spread[:, :, :, 0, :, 1] = quarter
        spread[:, :, :, 1] = spread[:, :, :, 0]
        return spread.view(n, channels, 2 * height, 2 * width)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return _Mean.apply(gradient)
