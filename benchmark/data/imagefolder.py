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
from ddbench.data.imagefile import read
from ddbench.data.invalid import InvalidData
from ddbench.data.layout import checked, part_folder
from ddbench.data.progress import told
from ddbench.data.remarks import remarks_on
from ddbench.errors import BenchError
from ddbench.keys import digest
from ddbench.types import Cache, Count, Dataset, ImageView, LabeledImages, NonNegativeInt, Shape, Split

if TYPE_CHECKING:
    import numpy as np

Files = Sequence[Sequence[str]]
"""for each class, its image files relative to the folder of their part"""


@dataclass(frozen=True)
class ImageFolder(Dataset):
    """``root/train/<class>/*`` and ``root/val/<class>/*``; subclasses declare the classes. What else is recognised as
    a split or a class: ``data.layout``; how a file becomes pixels: ``data.imagefile``.

    As usual, the train folder is the train split and the val folder the test split. ``holdout`` sets a validation part
    aside: about one in ``holdout`` train images, chosen by the digest of its name, leaves the train split. Images are
    converted to RGB. Files are listed once for each study of a process.
    """

    location: ClassVar[tuple[str, ...]] = ("root",)
    judging: ClassVar[tuple[str, ...]] = ("duplicates",)
    decodes_views: ClassVar[bool] = True

    root: str = ""
    """the folder that holds train/ and val/"""
    resolution: Count = 64
    resize: Literal["squash", "crop"] = "crop"
    """crop: the largest centred square, resized to ``resolution``, as Pillow's ``ImageOps.fit`` does; torchvision's
    Resize and CenterCrop round otherwise, which a protocol's own view follows. squash: both sides, ignoring the aspect
    ratio"""
    interpolation: Literal["bilinear", "bicubic", "lanczos"] = "bicubic"
    holdout: NonNegativeInt = 0
    duplicates: Literal["refuse", "drop", "allow"] = "refuse"
    """test images whose files are train files too: refuse them, drop those files from train, or allow them"""

    @property
    def shape(self) -> Shape:
        return 3, self.resolution, self.resolution

    @property
    def counts_exact(self) -> bool:
        return self.duplicates != "drop"

    def train_counts(self) -> tuple[int, ...]:
        return tuple(len(names) for names in self.files("train"))

    def fingerprint(self, split: Split) -> str:
        """A digest of the names and sizes of all files in the folder of a split, held-out ones too. Decodes nothing.

        Where duplicates are dropped, the train images depend on the test files, whose digest is then part of theirs.
        Raises BenchError when the number of images cannot be that of the declared split.
        """
        self._counted(split, self.files(split))
        if split == "test" or self.duplicates != "drop":
            return self._listed(split)
        return digest([self._listed(split), {"without": self._listed("test")}])

    def _listed(self, split: Split) -> str:
        """The digest of the names and sizes of all files in the folder of a split."""
        found = checked(self.name, self.folder(split), classes := self.classes)
        return digest([[label, found[label].digest] for label in classes])

    def remarks(self) -> tuple[str, ...]:
        folders = {split: self.folder(split) for split in ("train", "test")}
        return remarks_on(self.name, self.root, folders["train"], folders["test"], self.classes)

    def load(self, split: Split, cache: Cache | None = None) -> LabeledImages:
        """The images of a split. With a ``cache`` they are decoded once, into a file that is mapped into memory.

        Also with a ``cache``, loading the test split checks that none of its files is a train or validation file,
        unless ``duplicates`` says otherwise. Raises BenchError, naming the file or folder, for what is missing,
        unreadable or not as declared.
        """
        return self._load(split, self._resize, cache)

    def load_view(self, split: Split, view: ImageView, cache: Cache | None = None) -> LabeledImages:
        """The same images decoded as ``view`` says, whatever ``resolution``, ``resize`` and ``interpolation`` are."""
        return self._load(split, Viewed(view), cache)

    def check(self, split: Split, view: ImageView | None, cache: Cache) -> dict[str, int]:
        """Decode both splits into the cache, the judged one first, since it is the smaller, and compare their files."""
        judged, train = self._kept(split, cache), self._kept("train", cache)
        self._cached(split, judged, Viewed(view) if view else self._resize, cache)
        self._cached("train", train, self._resize, cache)
        counts: dict[str, int] = {"train": _count(train), split: _count(judged)}
        if self.duplicates == "drop":
            counts["train images left out, which are test images"] = _count(self.files("train")) - counts["train"]
        elif split == "test":
            counts["test images that are train images too"] = self._check_disjoint(judged, cache)
        return counts

    def check_split(self, split: Split, folder: Path, count: int) -> None:
        """A hook for subclasses: raise BenchError when ``count`` images cannot be the declared split."""

    @property
    def _resize(self) -> Resize:
        return Resize(self.resolution, self.resize, self.interpolation)

    def _load(self, split: Split, resize: Resize | Viewed, cache: Cache | None) -> LabeledImages:
        files = self._kept(split, cache)
        if cache is None:
            return self._in_memory(split, files, resize)
        folder = self._cached(split, files, resize, cache)
        if split == "test" and self.duplicates != "drop":
            self._check_disjoint(files, cache)
        return mapped.load(folder, self.classes)

    def _in_memory(self, split: Split, files: Files, resize: Resize | Viewed) -> LabeledImages:
        import numpy as np
        import torch

        images, start = np.empty((_count(files), 3, resize.side, resize.side), dtype=np.uint8), 0
        for chunk, _ in self._decoded(split, files, resize):
            images[start : start + len(chunk)] = chunk
            start += len(chunk)
        return LabeledImages(torch.from_numpy(images), torch.from_numpy(_labels(files)), self.classes)

    def _cached(self, split: Split, files: Files, resize: Resize | Viewed, cache: Cache) -> Path:
        """The cached folder of the decoded images. Decoding also caches the digests of the files, at no extra cost."""
        found = bytearray()

        def chunks() -> Iterator[np.ndarray]:
            for chunk, digests in self._decoded(split, files, resize):
                found.extend(digests)
                yield chunk

        def fill(folder: Path) -> None:
            about = {"dataset": self.name, "split": split}
            mapped.write(folder, (_count(files), 3, resize.side, resize.side), chunks(), _labels(files), about)

        # With the fingerprint of this split alone, a change of the test images decodes no train image again.
        what: dict[str, Any] = {"format": mapped.FORMAT, "data": self.fingerprint(split), "split": split}
        if isinstance(resize, Viewed):  # every resolution shares it
            place = {"folder": str(self.folder(split)), "holdout": self.holdout}
            what |= {**place, "view": dataclasses.asdict(resize.view)}
        else:
            what |= {"options": {k: v for k, v in describe(self).items() if k not in self.judging}}
        folder = cache(f"{self.name}-{split}-{digest(what)}", fill)
        if found and (split == "test" or self.duplicates != "drop"):
            self._digests(split, cache, bytes(found))
        return folder

    def _digests(self, split: Split, cache: Cache, known: bytes = b"") -> Path:
        """The cached folder of the digests of all files of a split; with ``known`` digests they are not read."""

        def fill(folder: Path) -> None:
            leakage.write(folder, known or self._read_digests(split))

        # No option of decoding is part of the name, so that all resolutions share the digests.
        what: dict[str, Any] = {"format": mapped.FORMAT, "folder": str(self.folder(split)), "holdout": self.holdout}
        what |= {"data": self._listed(split), "split": split}
        return cache(f"{self.name}-{split}-sha256-{digest(what)}", fill)

    def _read_digests(self, split: Split) -> bytes:
        files, base = _flat(self.files(split)), self.folder(split)
        with told(f"digesting {self.name} {split}", len(files)) as advance:
            found = bytearray()
            for name in files:
                found.extend(hashlib.sha256(read(base / name)).digest())
                advance(1)
        return bytes(found)

    def _check_disjoint(self, test: Files, cache: Cache) -> int:
        """Number of test images that are train or validation images too. Raises InvalidData for refused ones."""
        names, shared, lines = _flat(test), 0, []
        splits: tuple[Split, ...] = ("train", "validation") if self.holdout else ("train",)
        for split in splits:
            files, both = _flat(self.files(split)), (self.folder("test"), self.folder(split))
            same = leakage.shared(self._digests("test", cache), self._digests(split, cache)) if files else []
            lines += [
                f"the test image {both[0] / names[i]} is also the {split} image {both[1] / files[j]}." for i, j in same
            ]
            shared += len({i for i, _ in same})
        if lines and self.duplicates == "refuse":
            setting = f"--set data.{self.name}.duplicates="
            raise InvalidData(
                f"{self.name}: {shared} test images are train images too",
                lines,
                f"Remove one of each pair, drop them from train with {setting}drop, or keep them with {setting}allow, "
                "which every caption tells: accuracy on images that were trained on says nothing.",
            )
        return shared

    def _kept(self, split: Split, cache: Cache | None) -> Files:
        """The files of a split, without those that are dropped. Raises BenchError when none are left in a class."""
        files = self.files(split)
        self._counted(split, files)
        if split == "test" or self.duplicates != "drop":
            return files
        names, gone = _flat(files), self._also_in_test(split, cache)
        dropped = {names[i] for i in gone}
        kept = [[name for name in of_class if name not in dropped] for of_class in files]
        if bare := [label for label, left, had in zip(self.classes, kept, files, strict=True) if had and not left]:
            raise BenchError(f"{self.name}: all {split} images of the class {bare[0]} are test images too.")
        return kept

    def _also_in_test(self, split: Split, cache: Cache | None) -> list[int]:
        """The indices of the files of a split that are test files too."""
        if cache is not None:
            pairs = leakage.shared(self._digests(split, cache), self._digests("test", cache))
            return sorted({i for i, _ in pairs})
        ours, theirs = (_cut(self._read_digests(part)) for part in (split, "test"))
        known = set(theirs)
        return [i for i, found in enumerate(ours) if found in known]

    def _decoded(self, split: Split, files: Files, resize: Resize | Viewed) -> Iterator[tuple[np.ndarray, bytes]]:
        with told(f"decoding {self.name} {split}", _count(files)) as advance:
            yield from decoded(self.folder(split), _flat(files), resize, advance)

    def folder(self, split: Split) -> Path:
        """The folder of the part that a split is in. Raises BenchError when there is none."""
        return part_folder(self.name, self.root, "val" if split == "test" else "train")

    def files(self, split: Split) -> Files:
        """The files of every class in a split, relative to its folder, in the order of the classes, sorted. Raises
        BenchError."""
        found = checked(self.name, self.folder(split), classes := self.classes)
        return [self._of_split(split, found[label].names) for label in classes]

    def _of_split(self, split: Split, names: Sequence[str]) -> Sequence[str]:
        """The files of a class that are in ``split``."""
        if split == "test":
            return names
        if not self.holdout:
            return names if split == "train" else ()
        return [name for name in names if self._held_out(name) == (split == "validation")]

    def _held_out(self, name: str) -> bool:
        file = name.partition("/")[2] or name
        return int.from_bytes(hashlib.sha256(file.encode()).digest()[:4], "big") % self.holdout == 0

    def _counted(self, split: Split, files: Files) -> None:
        """Raises BenchError when a split has no image, or cannot be the declared one by its number of images."""
        if not (count := _count(files)):
            raise self._no_images(split)
        self.check_split(split, self.folder(split), count)

    def _no_images(self, split: Split) -> BenchError:
        setting = f"--set data.{self.name}.holdout=10"
        if split == "validation" and not self.holdout:
            return BenchError(f"{self.name} has no validation part. Set one aside with {setting}")
        return BenchError(f"{self.name}: holdout={self.holdout} leaves no {split} image. Choose another: {setting}")


def _flat(files: Files) -> list[str]:
    return [name for of_class in files for name in of_class]


def _count(files: Files) -> int:
    return sum(map(len, files))


def _labels(files: Files) -> np.ndarray:
    """The class of each file, int64 (N,)."""
    import numpy as np

    return np.repeat(np.arange(len(files), dtype=np.int64), [len(of_class) for of_class in files])


def _cut(digests: bytes) -> list[bytes]:
    return [digests[i : i + 32] for i in range(0, len(digests), 32)]
