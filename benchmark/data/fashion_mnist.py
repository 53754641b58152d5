"""Fashion-MNIST in its own format: four gzipped idx files."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ddbench.data.published_files import PublishedFiles
from ddbench.types import Shape

if TYPE_CHECKING:
    import numpy as np

BYTES = 8
"""the number that says unsigned bytes in the third byte of an idx file"""


@dataclass(frozen=True)
class FashionMnist(PublishedFiles):
    """70,000 grey pictures of ten sorts of clothes, 28 x 28; from a folder with the four published .gz files.

    60,000 train and 10,000 test images, equally many a class. Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image
    Dataset for Benchmarking Machine Learning Algorithms", 2017.
    """

    name: ClassVar[str] = "fashionmnist"
    train_files: ClassVar[Mapping[str, str]] = {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    }
    test_files: ClassVar[Mapping[str, str]] = {
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    }
    places: ClassVar[tuple[str, ...]] = ("", "FashionMNIST/raw", "raw")
    counts: ClassVar[tuple[int, ...]] = (6000,) * 10
    torchvision: ClassVar[str] = "torchvision.datasets.FashionMNIST(FOLDER, download=True)"

    @property
    def classes(self) -> tuple[str, ...]:
        return (
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        )

    @property
    def shape(self) -> Shape:
        return 1, 28, 28

    def read(self, files: Mapping[str, Path]) -> tuple[np.ndarray, np.ndarray]:
        images, labels = (read_idx(path) for path in files.values())
        if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1] or labels.max(initial=0) > 9:
            raise ValueError(f"images {images.shape} and labels {labels.shape} do not belong together")
        return images[:, None], labels.astype("int64")


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array in a gzipped idx file: two zeros, the type, the number of dimensions, each as four bytes, big end
    first, then the values. Raises ValueError."""
    import numpy as np

    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path.name} is no intact gzip file ({error})") from None
    if content[:3] != bytes((0, 0, BYTES)):
        raise ValueError(f"{path.name} is no idx file of bytes")
    start = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:start], dtype=">u4").astype(int)
    if len(content) - start != shape.prod():
        raise ValueError(f"{path.name} has {len(content) - start} values and declares {shape.prod()}")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
