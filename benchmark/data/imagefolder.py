"""Datasets that lie on disk as one folder of image files for each class."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ddbench.config.values import describe
from ddbench.data import leakage, mapped
from ddbench.data.decode import Resize, Viewed, decoded
from ddbench.data.files import checked, part_folder
from ddbench.data.imagefile import read
from ddbench.data.progress import told
from ddbench.errors import BenchError
from ddbench.keys import digest
from ddbench.types import Cache, Count, Dataset, ImageView, LabeledImages, NonNegativeInt, Shape, Split

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class ImageFolder(Dataset):
    """``root/train/<class>/*`` and ``root/val/<class>/*``; subclasses declare the classes.

    As usual, the train folder is the train split and the val folder the test split. ``holdout`` sets a validation part
    aside: about one in ``holdout`` train images, chosen by the digest of its name, leaves the train split. Images are
    converted to RGB. Files are listed once in each process.
    """

    location: ClassVar[tuple[str, ...]] = ("root",)
    decodes_views: ClassVar[bool] = True

    root: str = ""
    """the folder that holds train/ and val/"""
    resolution: Count = 64
    resize: Literal["squash", "crop"] = "crop"
    """crop: the shorter side to ``resolution``, then the centre; squash: both sides, ignoring the aspect ratio"""
    interpolation: Literal["bilinear", "bicubic", "lanczos"] = "bicubic"
    holdout: NonNegativeInt = 0

    @property
    def shape(self) -> Shape:
        return 3, self.resolution, self.resolution

    def train_counts(self) -> tuple[int, ...]:
        found = checked(self.name, self._folder("train"), classes := self.classes)
        return tuple(len(self._of_split("train", found[label].names)) for label in classes)

    def fingerprint(self, split: Split) -> str:
        """A digest of the names and sizes of all files in the folder of a split, held-out ones too. Decodes nothing."""
        found = checked(self.name, self._folder(split), classes := self.classes)
        return digest([[label, found[label].digest] for label in classes])

    def load(self, split: Split, cache: Cache | None = None) -> LabeledImages:
        """The images of a split. With a ``cache`` they are decoded once, into a file that is mapped into memory.

        Also with a ``cache``, loading the test split checks that none of its files is a train or validation file.
        Raises BenchError, naming the file or folder, for one that is missing, unreadable or not as declared.
        """
        return self._load(split, Resize(self.resolution, self.resize, self.interpolation), cache)

    def load_view(self, split: Split, view: ImageView, cache: Cache | None = None) -> LabeledImages:
        """The same images decoded as ``view`` says, whatever ``resolution``, ``resize`` and ``interpolation`` are."""
        return self._load(split, Viewed(view), cache)

    def _load(self, split: Split, resize: Resize | Viewed, cache: Cache | None) -> LabeledImages:
        files = self._files(split)
        if not files:
            raise self._no_images(split)
        self.check_split(split, self._folder(split), len(files))
        if cache is None:
            return self._in_memory(split, files, resize)
        folder = self._cached(split, files, resize, cache)
        if split == "test":
            self._check_disjoint(files, cache)
        return mapped.load(folder, self.classes)

    def check_split(self, split: Split, folder: Path, count: int) -> None:
        """A hook for subclasses: raise BenchError when ``count`` images cannot be the declared split."""

    def _in_memory(self, split: Split, files: Sequence[str], resize: Resize | Viewed) -> LabeledImages:
        import numpy as np
        import torch

        images, start = np.empty((len(files), 3, resize.side, resize.side), dtype=np.uint8), 0
        for chunk, _ in self._decoded(split, files, resize):
            images[start : start + len(chunk)] = chunk
            start += len(chunk)
        labels = torch.from_numpy(self._labels(files))
        return LabeledImages(images=torch.from_numpy(images), labels=labels, classes=self.classes)

    def _cached(self, split: Split, files: Sequence[str], resize: Resize | Viewed, cache: Cache) -> Path:
        """The cached folder of the decoded images. Decoding also caches the digests of the files, at no extra cost."""
        found = bytearray()

        def chunks() -> Iterator[np.ndarray]:
            for chunk, digests in self._decoded(split, files, resize):
                found.extend(digests)
                yield chunk

        def fill(folder: Path) -> None:
            about = {"dataset": self.name, "split": split}
            mapped.write(folder, (len(files), 3, resize.side, resize.side), chunks(), self._labels(files), about)

        # With the fingerprint of this split alone, a change of the test images decodes no train image again.
        what: dict[str, Any] = {"format": mapped.FORMAT, "data": self.fingerprint(split), "split": split}
        if isinstance(resize, Viewed):  # every resolution shares it
            place = {"folder": str(self._folder(split)), "holdout": self.holdout}
            what |= {**place, "view": dataclasses.asdict(resize.view)}
        else:
            what |= {"options": describe(self)}
        folder = cache(f"{self.name}-{split}-{digest(what)}", fill)
        if found:
            self._digests(split, files, cache, bytes(found))
        return folder

    def _digests(self, split: Split, files: Sequence[str], cache: Cache, known: bytes = b"") -> Path:
        """The cached folder of the digests of a split's files; with ``known`` digests the files are not read."""

        def fill(folder: Path) -> None:
            if known:
                leakage.write(folder, known)
                return
            base = self._folder(split)
            with told(f"digesting {self.name} {split}", len(files)) as advance:
                found = bytearray()
                for name in files:
                    found.extend(hashlib.sha256(read(base / name)).digest())
                    advance(1)
            leakage.write(folder, bytes(found))

        # No option of decoding is part of the name, so that all resolutions share the digests.
        what: dict[str, Any] = {"format": mapped.FORMAT, "folder": str(self._folder(split)), "holdout": self.holdout}
        what |= {"data": self.fingerprint(split), "split": split}
        return cache(f"{self.name}-{split}-sha256-{digest(what)}", fill)

    def _check_disjoint(self, test: Sequence[str], cache: Cache) -> None:
        ours = self._digests("test", test, cache)
        splits: tuple[Split, ...] = ("train", "validation")
        for split in splits:
            files = self._files(split)
            same = leakage.shared(ours, self._digests(split, files, cache)) if files else []
            if same:
                first, second = self._folder("test") / test[same[0][0]], self._folder(split) / files[same[0][1]]
                raise BenchError(
                    f"{self.name}: the test image {first} is also the {split} image {second} ({len(same)} such test "
                    "images). Remove one of each pair: accuracy on images that were trained on says nothing."
                )

    def _decoded(
        self, split: Split, files: Sequence[str], resize: Resize | Viewed
    ) -> Iterator[tuple[np.ndarray, bytes]]:
        with told(f"decoding {self.name} {split}", len(files)) as advance:
            yield from decoded(self._folder(split), files, resize, advance)

    def _labels(self, files: Sequence[str]) -> np.ndarray:
        import numpy as np

        position = {name: i for i, name in enumerate(self.classes)}
        return np.fromiter((position[f.partition("/")[0]] for f in files), dtype=np.int64, count=len(files))

    def _folder(self, split: Split) -> Path:
        return part_folder(self.name, self.root, "val" if split == "test" else "train")

    def _files(self, split: Split) -> list[str]:
        """``class/file`` of every image of a split, ordered by class and name."""
        found = checked(self.name, self._folder(split), classes := self.classes)
        return [name for label in classes for name in self._of_split(split, found[label].names)]

    def _of_split(self, split: Split, names: Sequence[str]) -> Sequence[str]:
        """The files of a class that are in ``split``."""
        if split == "test":
            return names
        if not self.holdout:
            return names if split == "train" else ()
        return [name for name in names if self._held_out(name) == (split == "validation")]

    def _held_out(self, name: str) -> bool:
        file = name.partition("/")[2]
        return int.from_bytes(hashlib.sha256(file.encode()).digest()[:4], "big") % self.holdout == 0

    def _no_images(self, split: Split) -> BenchError:
        setting = f"--set data.{self.name}.holdout=10"
        if split == "validation" and not self.holdout:
            return BenchError(f"{self.name} has no validation part. Set one aside with {setting}")
        return BenchError(f"{self.name}: holdout={self.holdout} leaves no {split} image. Choose another: {setting}")
