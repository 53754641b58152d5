"""SVHN's cropped digits in their own format: two MATLAB files."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ddbench.data.published_files import PublishedFiles
from ddbench.types import Shape

if TYPE_CHECKING:
    import numpy as np

ZERO = 10
"""the label of the digit 0 in the files"""


@dataclass(frozen=True)
class Svhn(PublishedFiles):
    """Digits of house numbers, 32 x 32; from a folder with the published train_32x32.mat and test_32x32.mat.

    73,257 train and 26,032 test images, unequally many a class; the 531,131 extra images are not used. Netzer et al.,
    "Reading Digits in Natural Images with Unsupervised Feature Learning", 2011.
    """

    name: ClassVar[str] = "svhn"
    train_files: ClassVar[Mapping[str, str]] = {"train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373"}
    test_files: ClassVar[Mapping[str, str]] = {"test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3"}
    counts: ClassVar[tuple[int, ...]] = (4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659)
    torchvision: ClassVar[str] = "torchvision.datasets.SVHN(FOLDER, split, download=True)"

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(str(digit) for digit in range(10))

    @property
    def shape(self) -> Shape:
        return 3, 32, 32

    def read(self, files: Mapping[str, Path]) -> tuple[np.ndarray, np.ndarray]:
        (path,) = files.values()
        images, labels = read_mat(path)
        return images.transpose(3, 2, 0, 1), (labels.reshape(-1) % ZERO).astype("int64")


def read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """``X``, uint8 (32, 32, 3, N), and ``y``, (N, 1) of 1..10, of a MATLAB file. No code of the file is run.

    Raises ValueError for a file that does not hold both as described.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        found = loadmat(path, variable_names=["X", "y"])
    except (MatReadError, NotImplementedError, OSError, TypeError, EOFError, zlib.error) as error:
        raise ValueError(f"it is no MATLAB file of version 4 to 7 ({error})") from None
    images, labels = found.get("X"), found.get("y")
    if images is None or labels is None:
        raise ValueError("it holds no X and y")
    if images.dtype != "uint8" or images.shape[:3] != (32, 32, 3) or labels.size != images.shape[3]:
        raise ValueError(f"X {images.shape} and y {labels.shape} are no images of 32 x 32 pixels with labels")
    if labels.dtype.kind not in "ui" or labels.min() < 1 or labels.max() > ZERO:
        raise ValueError("its labels are not 1 to 10")
    return images, labels
