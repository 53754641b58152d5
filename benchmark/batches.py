"""The batches of an epoch, and the one rule for a last batch of one image, for every training loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def batches(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    """``order``, the images of an epoch (N,), in batches of ``size``; a last batch of one joins the one before it.

    Over one image batch norm has no variance where a feature map is a single pixel, and torch refuses it: 9,025 images
    in batches of 64 are 141 batches and one image, here 140 batches and one of 65. The rule holds for every network, so
    that two networks see the same batches. Batches of one that were asked for (``size`` 1), or a single image in all,
    stay as they are.
    """
    parts = list(order.split(size))
    if size > 1 and len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [order[-size - 1 :]]
    return parts


def batch_count(images: int, size: int) -> int:
    """The number of ``batches`` of so many images."""
    whole, rest = divmod(images, size)
    return max(1, whole + (rest > 1 or (rest == 1 and size == 1)))
