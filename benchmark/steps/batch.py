"""The tensors of one step by name, alone or as views of one row of bytes that is moved and copied as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import torch

ALIGNMENT = 64
"""bytes; every tensor of a row starts at a multiple of it"""

Layout = tuple[tuple[str, torch.dtype, tuple[int, ...]], ...]
"""name, type and shape of each tensor of a batch: two steps of one layout can be one graph"""


class Batch(Mapping[str, torch.Tensor]):
    """The tensors of one step. ``after``: what the reader was asked to remember once they were drawn."""

    def __init__(self, tensors: Mapping[str, torch.Tensor], after: Any = None) -> None:
        self.after = after
        self.row: torch.Tensor | None = None
        self.__dict__["tensors"] = dict(tensors)

    @classmethod
    def of_row(cls, row: torch.Tensor, layout: Layout, after: Any = None) -> Batch:
        """The batch that ``row``, uint8 (row_bytes(layout),), holds; its views are made when one is asked for."""
        batch = cls({}, after)
        batch.row = row
        batch.__dict__["layout"] = layout
        del batch.__dict__["tensors"]
        return batch

    @cached_property
    def tensors(self) -> dict[str, torch.Tensor]:
        assert self.row is not None
        return views(self.row, self.layout)

    @cached_property
    def layout(self) -> Layout:
        return layout_of(self.tensors)

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def take(self, other: Batch) -> None:
        """Copy the tensors of ``other``, of the same layout, into this batch: one copy where both are rows."""
        if self.row is not None and other.row is not None:
            self.row.copy_(other.row)
            return
        for name, tensor in self.tensors.items():
            tensor.copy_(other[name])


def layout_of(tensors: Mapping[str, torch.Tensor]) -> Layout:
    return tuple((name, tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors.items())


def row_bytes(layout: Layout) -> int:
    """The length of a row of this layout."""
    return sum(_padded(dtype.itemsize * math.prod(shape)) for _, dtype, shape in layout)


def views(row: torch.Tensor, layout: Layout) -> dict[str, torch.Tensor]:
    """The tensors that a row, uint8 (row_bytes(layout),), holds, without a copy."""
    found, start = {}, 0
    for name, dtype, shape in layout:
        size = dtype.itemsize * math.prod(shape)
        found[name] = row[start : start + size].view(dtype).view(shape)
        start += _padded(size)
    return found


def write(row: torch.Tensor, tensors: Mapping[str, torch.Tensor], layout: Layout) -> None:
    """Copy ``tensors`` into their places in ``row``."""
    for name, place in views(row, layout).items():
        place.copy_(tensors[name])


def static(layout: Layout, device: torch.device) -> Batch:
    """A batch of this layout whose memory stays where it is: what a graph reads."""
    return Batch.of_row(torch.zeros(row_bytes(layout), dtype=torch.uint8, device=device), layout)


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
