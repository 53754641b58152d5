"""ImageNette: ten easily told classes of ImageNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from benchmark.data.imagefolder import ImageFolder

WNIDS = (
    "n01440764",
    "n02102040",
    "n02979186",
    "n03000684",
    "n03028079",
    "n03394916",
    "n03417042",
    "n03425413",
    "n03445777",
    "n03888257",
)


@dataclass(frozen=True)
class ImageNette(ImageFolder):
    """Ten easily told classes of ImageNet, from folders on disk.

    ImageNet ids 0, 217, 482, 491, 497, 566, 569, 571, 574, 701.

    ``variant`` names the split that the folders hold: ``ilsvrc`` (about 1,300 train and 50 test images a class, as in
    the papers) or ``fastai`` (the same pool split 70/30: 9,469 and 3,925 images). They are never one column.
    """

    name: ClassVar[str] = "imagenette"

    variant: Literal["ilsvrc", "fastai"] = "fastai"

    @property
    def classes(self) -> tuple[str, ...]:
        return WNIDS

    @property
    def split_name(self) -> str:
        return self.variant
