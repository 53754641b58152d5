"""CIFAR-10 and CIFAR-100 as torchvision reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ddbench.config.values import describe
from ddbench.data import mapped
from ddbench.data.split import stratified
from ddbench.errors import BenchError
from ddbench.keys import digest
from ddbench.types import Cache, Dataset, LabeledImages, NonNegativeInt, Shape, Split

if TYPE_CHECKING:
    import numpy as np

NAMES_10 = "airplane automobile bird cat deer dog frog horse ship truck"

NAMES_100 = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm
"""


@dataclass(frozen=True)
class Cifar(Dataset):
    """Common to CIFAR-10 and CIFAR-100: 50,000 train and 10,000 test images of 32 x 32 pixels, equally many a class.

    ``holdout`` sets a validation part aside: one in ``holdout`` train images of every class leaves the train split.
    """

    reader: ClassVar[str]
    """name of torchvision's dataset class"""
    folder: ClassVar[str]
    """folder inside ``root`` that torchvision reads"""
    md5: ClassVar[str]
    """checksum of the published archive; torchvision checks the files in it"""
    names: ClassVar[tuple[str, ...]]

    location: ClassVar[tuple[str, ...]] = ("root", "download")

    root: str = ""
    """the folder that holds ``folder``, or that it is downloaded into"""
    download: bool = False
    """whether to download the files into ``root`` when they are missing"""
    holdout: NonNegativeInt = 0

    @property
    def classes(self) -> tuple[str, ...]:
        return self.names

    @property
    def shape(self) -> Shape:
        return 3, 32, 32

    @property
    def split_name(self) -> str:
        return "official"

    def train_counts(self) -> tuple[int, ...]:
        each = 50_000 // len(self.names)
        return (each - int(self._share * each),) * len(self.names)

    def fingerprint(self, split: Split) -> str:
        """The checksum of the published archive. Raises BenchError when the files are missing, before anything runs."""
        self._check_there()
        return self.md5

    def load(self, split: Split, cache: Cache | None = None) -> LabeledImages:
        """The images of a split. Raises BenchError when files are missing or damaged, or the download fails."""
        import torch

        if split == "validation" and not self.holdout:
            setting = f"--set data.{self.name}.holdout=10"
            raise BenchError(f"{self.name} has no validation part. Set one aside with {setting}")
        if cache is None:
            images, labels = self._read(split)
            return LabeledImages(torch.from_numpy(images), torch.from_numpy(labels), self.classes)

        def fill(folder: Path) -> None:
            images, labels = self._read(split)
            mapped.write(folder, images.shape, [images], labels, {"dataset": self.name, "split": split})

        what: dict[str, Any] = {"format": mapped.FORMAT, "options": describe(self), "data": self.md5, "split": split}
        return mapped.load(cache(f"{self.name}-{split}-{digest(what)}", fill), self.classes)

    @property
    def _share(self) -> float:
        """The fraction of the train images that is held out for validation."""
        return 1 / self.holdout if self.holdout else 0.0

    def _check_there(self) -> None:
        setting = f"--set data.{self.name}.root=FOLDER"
        if not self.root:
            raise BenchError(f"where is {self.name}? Name the folder that holds {self.folder}/ with {setting}")
        folder = Path.cwd() / Path(self.root).expanduser() / self.folder
        if not folder.is_dir() and not self.download:
            raise BenchError(
                f"{self.name}: there is no folder {folder}. Name the one that holds {self.folder}/ with {setting}, or "
                f"let it be downloaded with --set data.{self.name}.download=true"
            )

    def _read(self, split: Split) -> tuple[np.ndarray, np.ndarray]:
        """Images, uint8 (N, 3, 32, 32), and labels, int64 (N,), in the order of the published files."""
        import numpy as np
        from torchvision import datasets

        self._check_there()
        root = Path(self.root).expanduser()
        try:
            found = getattr(datasets, self.reader)(str(root), train=split != "test", download=self.download)
        except (RuntimeError, OSError) as error:
            raise BenchError(
                f"{self.name}: the files in {root / self.folder} are missing, damaged or could not be downloaded "
                f"({' '.join(str(error).split())}). Remove that folder and run again with --set "
                f"data.{self.name}.download=true"
            ) from None
        if tuple(found.classes) != self.names:
            raise BenchError(f"{self.name}: {root / self.folder} lists other classes than those that are published.")
        images, labels = found.data.transpose(0, 3, 1, 2), np.asarray(found.targets, dtype=np.int64)
        return self._part(images, labels, split)

    def _part(self, images: np.ndarray, labels: np.ndarray, split: Split) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        if split != "test" and self.holdout:
            train, validation, _ = stratified(labels.tolist(), self._share, 0, salt=self.name)
            index = {"train": train, "validation": validation}[split]
            images, labels = images[index], labels[index]
        return np.ascontiguousarray(images), labels


@dataclass(frozen=True)
class Cifar10(Cifar):
    """60,000 images of ten things, 32 x 32; from a folder, downloaded only with download=true.

    Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """

    name: ClassVar[str] = "cifar10"
    reader: ClassVar[str] = "CIFAR10"
    folder: ClassVar[str] = "cifar-10-batches-py"
    md5: ClassVar[str] = "c58f30108f718f92721af3b95e74349a"
    names: ClassVar[tuple[str, ...]] = tuple(NAMES_10.split())


@dataclass(frozen=True)
class Cifar100(Cifar):
    """60,000 images of a hundred things, 32 x 32; from a folder, downloaded only with download=true.

    Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. Labels are the fine ones.
    """

    name: ClassVar[str] = "cifar100"
    reader: ClassVar[str] = "CIFAR100"
    folder: ClassVar[str] = "cifar-100-python"
    md5: ClassVar[str] = "eb9058c3a382ffc7106e4002c42a8d85"
    names: ClassVar[tuple[str, ...]] = tuple(NAMES_100.split())
