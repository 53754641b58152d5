"""Ten-class subsets of ImageNet: ImageNette, easily told apart, and ImageWoof, breeds of dogs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from ddbench.data.imagenet import ImageNetFolders

NETTE = {
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
"""wnid -> common name"""

NETTE_WNIDS = tuple(NETTE)

# Sorted like their ids. Other code has other orders, so that classes must be matched by wnid, never by position.
WOOF = {
    "n02086240": "Shih-Tzu",
    "n02087394": "Rhodesian ridgeback",
    "n02088364": "beagle",
    "n02089973": "English foxhound",
    "n02093754": "Border terrier",
    "n02096294": "Australian terrier",
    "n02099601": "golden retriever",
    "n02105641": "Old English sheepdog",
    "n02111889": "Samoyed",
    "n02115641": "dingo",
}
"""wnid -> common name"""

WOOF_WNIDS = tuple(WOOF)


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
        return NETTE_WNIDS

    def aliases(self) -> Mapping[str, str]:
        return {name: wnid for wnid, name in NETTE.items()}


@dataclass(frozen=True)
class ImageWoof(ImageNetFolders):
    """Ten breeds of dogs, hard to tell apart, from folders on disk.

    ImageNet ids 155, 159, 162, 167, 182, 193, 207, 229, 258, 273.

    ``variant`` names the split that the folders hold: ``ilsvrc`` (about 1,300 train and 50 test images a class, as in
    the papers), ``fastai`` (the same pool split 70/30: 9,025 and 3,929 images) or ``any`` for neither.
    """

    name: ClassVar[str] = "imagewoof"
    test_images: ClassVar[Mapping[str, int]] = {"ilsvrc": 500, "fastai": 3929}

    variant: Literal["ilsvrc", "fastai", "any"] = "fastai"

    @property
    def classes(self) -> tuple[str, ...]:
        return WOOF_WNIDS

    def aliases(self) -> Mapping[str, str]:
        return {name: wnid for wnid, name in WOOF.items()}
