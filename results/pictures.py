"""Images to be shown: numpy arrays, which need no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddbench.types import Shape

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Pictures:
    """images: uint8 (N, C, H, W); labels: int64 (N,), indices into ``classes``."""

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    @property
    def shape(self) -> Shape:
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def of_class(self, name: str) -> np.ndarray:
        """The images, uint8 (n, C, H, W), of a class, in stored order; none where there is no such class."""
        return self.images[self.labels == self.classes.index(name)] if name in self.classes else self.images[:0]
