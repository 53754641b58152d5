"""Your own images: any folder of train/ and val/ with a sub-folder for each class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ddbench.data.imagefolder import ImageFolder
from ddbench.data.layout import part, part_folder
from ddbench.errors import BenchError


@dataclass(frozen=True)
class AnyFolder(ImageFolder):
    """Any images on disk: root/train/<class>/ and root/val/<class>/; the sub-folders of train/ are the classes.

    Flat folders with an annotation file (Tiny-ImageNet's, ILSVRC's, metadata.csv) are read too.
    """

    name: ClassVar[str] = "imagefolder"
    naming: ClassVar[tuple[str, ...]] = ("label",)

    label: str = ""
    """name of the data in tables, so that two folders are never mixed in a column; default: the name of the folder"""

    @property
    def classes(self) -> tuple[str, ...]:
        folder = part_folder(self.name, self.root, "train")
        if not (found := tuple(part(folder).classes)):
            raise BenchError(f"{self.name}: {folder} holds no class folders. Put the images of each class in one.")
        return found

    @property
    def split_name(self) -> str:
        return self.label or Path(self.root).expanduser().resolve().name
