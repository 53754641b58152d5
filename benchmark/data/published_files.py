"""Datasets that are a few published files with known checksums, such as Fashion-MNIST and SVHN."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ddbench.config.values import describe
from ddbench.data import mapped
from ddbench.data.split import stratified
from ddbench.errors import BenchError
from ddbench.keys import digest
from ddbench.types import Cache, Dataset, LabeledImages, NonNegativeInt, Split

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class PublishedFiles(Dataset):
    """Images in published files, which are read as they are, checked by their MD5 and never downloaded.

    ``holdout`` sets a validation part aside: one in ``holdout`` train images of every class leaves the train split.
    """

    location: ClassVar[tuple[str, ...]] = ("root",)
    train_files: ClassVar[Mapping[str, str]]
    """name of each file of the train part -> its MD5"""
    test_files: ClassVar[Mapping[str, str]]
    places: ClassVar[tuple[str, ...]] = ("",)
    """folders inside ``root`` where the files may lie"""
    counts: ClassVar[tuple[int, ...]]
    """train images of each class, as published"""
    torchvision: ClassVar[str]
    """the expression that puts the files there"""

    root: str = ""
    """the folder that holds the files"""
    holdout: NonNegativeInt = 0

    @abstractmethod
    def read(self, files: Mapping[str, Path]) -> tuple[np.ndarray, np.ndarray]:
        """Images, uint8 (N, *shape), and labels, int64 (N,), of a part, from its files by name. Raises ValueError."""

    @property
    def split_name(self) -> str:
        return "official"

    def train_counts(self) -> tuple[int, ...]:
        return tuple(n - int(self._share * n) for n in self.counts)

    def fingerprint(self, split: Split) -> str:
        """A digest of the published checksums. Raises BenchError when a file is missing, before anything runs."""
        self._found(split)
        return digest(dict(self._sums(split)))

    def load(self, split: Split, cache: Cache | None = None) -> LabeledImages:
        """The images of a split. Raises BenchError when files are missing or are not those that were published."""
        import torch

        if split == "validation" and not self.holdout:
            setting = f"--set data.{self.name}.holdout=10"
            raise BenchError(f"{self.name} has no validation part. Set one aside with {setting}")
        if cache is None:
            images, labels = self._part(split)
            return LabeledImages(torch.from_numpy(images), torch.from_numpy(labels), self.classes)

        def fill(folder: Path) -> None:
            images, labels = self._part(split)
            mapped.write(folder, images.shape, [images], labels, {"dataset": self.name, "split": split})

        what: dict[str, Any] = {"format": mapped.FORMAT, "options": describe(self), "split": split}
        what["data"] = self.fingerprint(split)
        return mapped.load(cache(f"{self.name}-{split}-{digest(what)}", fill), self.classes)

    @property
    def _share(self) -> float:
        """The fraction of the train images that is held out for validation."""
        return 1 / self.holdout if self.holdout else 0.0

    def _sums(self, split: Split) -> Mapping[str, str]:
        return self.test_files if split == "test" else self.train_files

    def _found(self, split: Split) -> dict[str, Path]:
        """Name -> path of the files of a split. Raises BenchError for the first that is missing."""
        setting = f"--set data.{self.name}.root=FOLDER"
        names = tuple(self._sums(split))
        if not self.root:
            raise BenchError(f"where is {self.name}? Name the folder that holds {', '.join(names)} with {setting}")
        whole = Path.cwd() / Path(self.root).expanduser()
        found = {}
        for name in names:
            path = next((p for place in self.places if (p := whole / place / name).is_file()), None)
            if path is None:
                raise BenchError(
                    f"{self.name}: there is no file {name} in {whole}. Name the folder that holds "
                    f"{', '.join(names)} with {setting}; in Python {self.torchvision} downloads them."
                )
            found[name] = path
        return found

    def _part(self, split: Split) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        files = self._found(split)
        for name, path in files.items():
            try:
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, "md5").hexdigest()
            except OSError as error:
                raise BenchError(f"{path} cannot be read: {error.strerror}. Restore the file.") from None
            if found != self._sums(split)[name]:
                raise BenchError(
                    f"{self.name}: {path} is not the published file (MD5 {found[:12]}, published "
                    f"{self._sums(split)[name][:12]}): it is damaged or another. Fetch it again: {self.torchvision}."
                )
        try:
            images, labels = self.read(files)
        except ValueError as error:
            raise BenchError(f"{self.name}: {', '.join(map(str, files.values()))} cannot be read: {error}.") from None
        if split != "test" and self.holdout:
            train, validation, _ = stratified(labels.tolist(), self._share, 0, salt=self.name)
            index = {"train": train, "validation": validation}[split]
            images, labels = images[index], labels[index]
        return np.array(images, order="C"), labels  # a copy: what was read may be bytes that cannot be changed
