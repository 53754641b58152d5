"""Soft labels stored beside a distilled set: for each epoch and image a view, and a teacher's outputs on that view.

The idea is FKD's (Shen and Xing, ECCV 2022); SRe2L and its successors train students so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SEED = 42
"""``--fkd-seed`` of the scripts of SRe2L and its successors"""


@dataclass(frozen=True)
class StoredBatch:
    """The n views of one batch, in the order in which they were seen."""

    index: torch.Tensor
    """int64 (n,): places in the set whose images are ordered by class name, then as they stand within a class"""
    crops: torch.Tensor
    """float32 (n, 4): top, left, height and width of each crop, as shares of the image's height and width"""
    flips: torch.Tensor
    """bool (n,): which crops are mirrored left to right"""
    outputs: torch.Tensor
    """float16 or float32 (n, classes): the teacher's logits, classes ordered by name"""
    box: torch.Tensor | None = None
    """int64 (4,): top, bottom, left and right of CutMix's box in pixels of the view; None where nothing was mixed"""
    partners: torch.Tensor | None = None
    """int64 (n,): for each view its partner, as a place in this batch"""


@dataclass(frozen=True)
class StoredLabels:
    """The stored labels of a set of ``images`` images. They may be larger than memory: epochs are read one by one."""

    images: int
    classes: int
    epochs: int
    batch: int
    """views in a batch; the last of an epoch has what is left"""
    mixed: bool
    """whether batches were cut and mixed"""
    reach: int
    """pixels: the furthest edge of any CutMix box; 0 where nothing was mixed"""
    bytes: int
    """that all outputs take in the precision in which they are stored; boxes and flips of views are not counted"""
    digest: str
    """SHA-256 of all batches, 64 hex digits"""
    epoch: Callable[[int], Sequence[StoredBatch]]
    """reads the batches of an epoch, counted from 0"""

    @property
    def batches(self) -> int:
        """The number of batches in an epoch."""
        return -(-self.images // self.batch)


def orders(images: int) -> Iterator[torch.Tensor]:
    """int64 (images,) for each epoch: the image that each view is of, which the published files do not hold.

    That of torch's ``RandomSampler`` with a generator of seed 42, which draws two permutations an epoch and uses the
    first (torch 1.10 and later).
    """
    import torch

    random = torch.Generator().manual_seed(SEED)
    while True:
        used, _ = (torch.randperm(images, generator=random) for _ in range(2))
        yield used
