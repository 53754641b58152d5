"""ImageNet-1K, and the base class of its subsets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

from ddbench.data.imagefolder import ImageFolder
from ddbench.errors import BenchError
from ddbench.plugins.source import source_path
from ddbench.types import Split

LIST = Path("data", "_info", "imagenet_synsets.txt")
"""file in timm's folder: one wnid a line, in the order of the ids"""


@lru_cache(maxsize=1)
def wnids() -> tuple[str, ...]:
    """The 1,000 wnids of ILSVRC-2012 in the order of their ImageNet ids, from the list that timm ships.

    Raises BenchError when timm is not installed or ships another list.
    """
    timm = source_path("timm")  # finds its folder without importing it
    path = timm.parent / LIST if timm else LIST
    found = tuple(path.read_text().split()) if path.is_file() else ()
    if len(set(found)) != 1000:
        raise BenchError(
            f"timm's list of the ImageNet classes, {path}, holds {len(found)} wnids instead of 1000. Install a timm "
            "release named in constraints.txt."
        )
    return found


def imagenet_id(wnid: str) -> int:
    """The ImageNet id, 0..999, of a class. Raises BenchError for an unknown wnid."""
    try:
        return _ids()[wnid]
    except KeyError:
        raise BenchError(
            f"{wnid!r} is none of the 1,000 classes of ILSVRC-2012. A wnid is written as {wnids()[0]!r}."
        ) from None


@lru_cache(maxsize=1)
def _ids() -> dict[str, int]:
    return {wnid: i for i, wnid in enumerate(wnids())}


@dataclass(frozen=True)
class ImageNetFolders(ImageFolder):
    """Classes of ImageNet in folders named by wnid, in one of several published splits.

    The field ``variant`` names the split, so that tables never mix two splits in a column.
    """

    naming: ClassVar[tuple[str, ...]] = ("variant",)
    test_images: ClassVar[Mapping[str, int]]
    """variant -> number of images in its test split"""

    variant: str = "any"

    @property
    def split_name(self) -> str:
        return self.variant

    def check_split(self, split: Split, folder: Path, count: int) -> None:
        """Raises BenchError when the test split is not as large as that of ``variant``, which is then the wrong one."""
        expected = self.test_images.get(self.variant, count)
        if split == "test" and count != expected:
            right = next((variant for variant, n in self.test_images.items() if n == count), "any")
            raise BenchError(
                f"{self.name}: {folder} holds {count} test images, the {self.variant} split has {expected}. Say which "
                f"split it is with --set data.{self.name}.variant={right}"
            )


@dataclass(frozen=True)
class ImageNet1K(ImageNetFolders):
    """The 1,000 classes of ILSVRC-2012, from folders on disk; labels are ImageNet ids.

    ``variant``: ``ilsvrc`` (50,000 test images: the validation set, sorted into folders), or ``any`` for folders with
    fewer images.
    """

    name: ClassVar[str] = "imagenet1k"
    test_images: ClassVar[Mapping[str, int]] = {"ilsvrc": 50_000}

    variant: Literal["ilsvrc", "any"] = "ilsvrc"

    @property
    def classes(self) -> tuple[str, ...]:
        return wnids()
