"""ImageNette: ten easily told classes of ImageNet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from benchmark.data.imagenet import ImageNetFolders

NAMES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}
"""wnid -> what people call it"""

WNIDS = tuple(NAMES)


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

    def aliases(self) -> Mapping[str, str]:
        return {name: wnid for wnid, name in NAMES.items()}
