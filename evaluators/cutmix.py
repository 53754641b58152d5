"""CutMix (Yun et al., ICCV 2019): a box of each image replaced by that of another, labels mixed by area."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Cut:
    """One box for a whole batch, rows [top, bottom) and columns [left, right), and the partner of each image."""

    top: int
    bottom: int
    left: int
    right: int
    partners: torch.Tensor
    """int64 (N,), a permutation of the batch"""

    def kept(self, height: int, width: int) -> float:
        """Share of an image's area outside the box, which is also the weight of its own label."""
        return 1 - (self.bottom - self.top) * (self.right - self.left) / (height * width)

    @property
    def box(self) -> torch.Tensor:
        """int64 (4,): top, bottom, left, right."""
        return torch.tensor([self.top, self.bottom, self.left, self.right])


def draw_cut(n: int, height: int, width: int, random: torch.Generator) -> Cut:
    """One box a batch, as in the paper's own code: its area is a share ~ Beta(1, 1), which is uniform, its centre is
    uniform, and then it is clipped to the image."""
    share, y, x = torch.rand(3, generator=random, dtype=torch.float64).tolist()
    row, column = int(y * height), int(x * width)
    tall, wide = int(height * share**0.5), int(width * share**0.5)
    return Cut(
        top=max(row - tall // 2, 0),
        bottom=min(row + tall // 2, height),
        left=max(column - wide // 2, 0),
        right=min(column + wide // 2, width),
        partners=torch.randperm(n, generator=random),
    )


def cutmix(images: torch.Tensor, box: torch.Tensor, partners: torch.Tensor) -> torch.Tensor:
    """``images`` (N, C, H, W) with the box of each filled by that of its partner; all three on one device."""
    rows, columns = (torch.arange(side, device=images.device) for side in images.shape[2:])
    inside = ((rows >= box[0]) & (rows < box[1]))[:, None] & ((columns >= box[2]) & (columns < box[3]))
    return torch.where(inside, images.index_select(0, partners), images)
