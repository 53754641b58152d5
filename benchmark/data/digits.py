"""The 1,797 handwritten digits (8 x 8 pixels) that scikit-learn ships: real data with nothing to download."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ddbench.data.split import stratified
from ddbench.errors import BenchError
from ddbench.types import Cache, Dataset, LabeledImages, Shape, Split

if TYPE_CHECKING:
    import numpy as np

SHA256 = "0b7e9c3202d7bcd255d6a19a238d3743bf5e320ba74812a6679958a017c55382"
TRAIN_COUNTS = (108, 110, 107, 111, 109, 110, 109, 109, 106, 108)


@dataclass(frozen=True)
class Digits(Dataset):
    """1,797 handwritten digits, 8 x 8, ten classes; ships with scikit-learn.

    UCI "Optical Recognition of Handwritten Digits", its test part (Alpaydin & Kaynak, 1998).

    60 % train, 20 % validation (choose hyper-parameters there), 20 % test, of every class. Pixels 0..16 are
    rescaled to 0..255.
    """

    name: ClassVar[str] = "digits"

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(str(d) for d in range(10))

    @property
    def shape(self) -> Shape:
        return 1, 8, 8

    @property
    def split_name(self) -> str:
        return "stratified-60-20-20"

    def train_counts(self) -> tuple[int, ...]:
        return TRAIN_COUNTS

    def fingerprint(self, split: Split) -> str:
        return SHA256

    def load(self, split: Split, cache: Cache | None = None) -> LabeledImages:
        import torch

        pixels, labels = _read()
        train, validation, test = stratified(labels.tolist(), 0.2, 0.2, salt="digits")
        index = {"train": train, "validation": validation, "test": test}[split]
        return LabeledImages(
            images=torch.from_numpy(pixels[index]), labels=torch.from_numpy(labels[index]), classes=self.classes
        )


@lru_cache(maxsize=1)
def _read() -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 (1797, 1, 8, 8) and labels int64 (1797,), checked against the declared digest."""
    table = _table()
    pixels = (table[:, :-1].reshape(-1, 1, 8, 8) * 255 / 16).round().astype("uint8")
    labels = table[:, -1].astype("int64")
    found = hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest()
    if found != SHA256:
        raise BenchError(
            f"scikit-learn's digits are not the ones that results are keyed by (SHA-256 {found[:12]}, expected "
            f"{SHA256[:12]}). Install a scikit-learn release named in constraints.txt."
        )
    return pixels, labels


def _table() -> np.ndarray:
    """Rows of 64 pixels, 0 to 16, and a label: float64 (1797, 65).

    From scikit-learn's file, without importing scikit-learn, which takes as long as torch: it imports scipy.stats and,
    where they are installed, pandas and joblib.
    """
    import numpy as np

    spec = find_spec("sklearn")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder, "datasets", "data", "digits.csv.gz")
        if path.is_file():
            return np.loadtxt(path, delimiter=",")  # which reads gzip by the suffix
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.column_stack([bunch.data, bunch.target])
