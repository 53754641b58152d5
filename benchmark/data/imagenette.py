"""ImageNette: ten easily told classes of ImageNet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from benchmark.data.imagenet import ImageNetFolders

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
class ImageNette(ImageNetFolders):
    """Ten easily told classes of ImageNet, from folders on disk.

    ImageNet ids 0, 217, 482, 491, 497, 566, 569, 571, 574, 701.

    ``variant`` names the split that the folders hold: ``ilsvrc`` (about 1,300 train and 50 test images a class, as in
    the papers), ``fastai`` (the same pool split 70/30: 9,469 and 3,925 images) or ``any`` for neither.
    """

    name: ClassVar[str] = "imagenette"
    test_images: ClassVar[Mapping[str, int]] = {"ilsvrc": 500, "fastai": 3925}

    variant: Literal["ilsvrc", "fastai", "any"] = "fastai"

    @property
    def classes(self) -> tuple[str, ...]:
        return WNIDS
