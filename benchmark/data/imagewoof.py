"""ImageWoof: ten breeds of dogs in ImageNet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from benchmark.data.imagenet import ImageNetFolders

# Sorted, as their ids are. Other code lists them in other orders, which is why a class is its wnid, never its place.
NAMES = {
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
"""wnid -> what people call it"""

WNIDS = tuple(NAMES)


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
        return WNIDS

    def aliases(self) -> Mapping[str, str]:
        return {name: wnid for wnid, name in NAMES.items()}
