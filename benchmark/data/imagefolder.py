"""Datasets that lie on disk as one folder of image files for each class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmark.errors import BenchError
from benchmark.types import Cache, Count, Dataset, LabeledImages, Shape, Split

if TYPE_CHECKING:
    import torch

SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".bmp", ".webp"})


@dataclass(frozen=True)
class ImageFolder(Dataset):
    """``root/train/<class>/*`` and ``root/val/<class>/*``; subclasses declare the classes.

    The train folder is the train split and the val folder the test split, as in the field. For a validation part,
    set ``holdout``: every ``holdout``-th train image, by the digest of its name, leaves the train split for it.
    """

    root: str = ""
    """the folder that holds train/ and val/"""
    resolution: Count = 64
    resize: Literal["squash", "crop"] = "crop"
    """crop: the shorter side to ``resolution``, then the centre; squash: both sides, ignoring the aspect ratio"""
    interpolation: Literal["bilinear", "bicubic", "lanczos"] = "bicubic"
    holdout: int = 0

    @property
    def shape(self) -> Shape:
        return 3, self.resolution, self.resolution

    def train_counts(self) -> tuple[int, ...]:
        counts = dict.fromkeys(self.classes, 0)
        for path in self._files("train"):
            counts[path.parent.name] += 1
        return tuple(counts[name] for name in self.classes)

    def fingerprint(self) -> str:
        """Of names and sizes of all files, so that no image is decoded for a plan."""
        found = hashlib.sha256()
        for split in ("train", "validation", "test"):
            for path in self._files(split):
                found.update(f"{split}/{path.parent.name}/{path.name}:{path.stat().st_size}\n".encode())
        return found.hexdigest()

    def load(self, split: Split, cache: Cache | None = None) -> LabeledImages:
        import torch

        files = self._files(split)
        if not files:
            raise BenchError(
                f"{self.name} has no validation part. Set one aside with --set data.{self.name}.holdout=10"
            )
        position = {name: i for i, name in enumerate(self.classes)}
        return LabeledImages(
            images=torch.stack([self._decode(path) for path in files]),
            labels=torch.tensor([position[path.parent.name] for path in files]),
            classes=self.classes,
        )

    def _files(self, split: str) -> Sequence[Path]:
        part = "val" if split == "test" else "train"
        every = _list(self.name, self.root, part, self.classes)
        if split == "test":
            return every
        return [path for path in every if self._held_out(path) == (split == "validation")]

    def _held_out(self, path: Path) -> bool:
        if not self.holdout:
            return False
        return int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:4], "big") % self.holdout == 0

    def _decode(self, path: Path) -> torch.Tensor:
        """uint8 (3, resolution, resolution). Raises BenchError naming a file that is not a whole image."""
        import numpy as np
        import torch
        from PIL import Image, ImageOps

        side = (self.resolution, self.resolution)
        how = Image.Resampling[self.interpolation.upper()]
        try:
            with Image.open(path) as image:
                rgb = image.convert("RGB")
        except OSError as error:
            raise BenchError(f"{path} cannot be read as an image: {error}. Restore or remove the file.") from None
        resized = rgb.resize(side, how) if self.resize == "squash" else ImageOps.fit(rgb, side, how)
        return torch.from_numpy(np.asarray(resized).copy()).permute(2, 0, 1).contiguous()


@lru_cache(maxsize=8)
def _list(name: str, root: str, part: str, classes: tuple[str, ...]) -> tuple[Path, ...]:
    """All image files of a part, ordered by class and name. Raises BenchError when the folders are not the classes."""
    setting = f"--set data.{name}.root=FOLDER"
    if not root:
        raise BenchError(f"where is {name}? Name the folder that holds its train/ and val/ with {setting}")
    folder = Path(root).expanduser() / part
    if not folder.is_dir():
        raise BenchError(f"{name}: there is no folder {folder}. Name the one that holds train/ and val/ with {setting}")
    found = {path.name for path in folder.iterdir() if path.is_dir()}
    if found != set(classes):
        missing, extra = sorted(set(classes) - found), sorted(found - set(classes))
        what = f"lacks {missing[0]}" if missing else f"has {extra[0]}, which is none of its classes"
        raise BenchError(
            f"{folder} is not {name}: it {what} ({len(missing)} missing, {len(extra)} extra class folders)."
        )
    files: list[Path] = []
    for label in classes:
        members = sorted(p for p in (folder / label).iterdir() if p.suffix.lower() in SUFFIXES)
        if not members:
            raise BenchError(f"{name}: the class folder {folder / label} holds no images.")
        files.extend(members)
    return tuple(files)
