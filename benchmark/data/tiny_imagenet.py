"""Tiny-ImageNet-200 as it is unpacked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from ddbench.data import class_lists
from ddbench.data.imagenet import ImageNetFolders


@dataclass(frozen=True)
class TinyImageNet(ImageNetFolders):
    """200 classes of ImageNet at 64 x 64 pixels, in the layout of tiny-imagenet-200.zip or as class folders.

    ``root`` is the folder that holds ``train/WNID/images/`` and ``val/val_annotations.txt``; the test split is ``val``,
    since the images of ``test`` have no labels. ``variant``: ``official`` (500 train and 50 test images a class) or
    ``any`` for other numbers. Le and Yang, "Tiny ImageNet Visual Recognition Challenge", 2015.
    """

    name: ClassVar[str] = "tinyimagenet"
    test_images: ClassVar[Mapping[str, int]] = {"official": 10_000}

    variant: Literal["official", "any"] = "official"

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(class_lists.TINY.split())
