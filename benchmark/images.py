"""Images with labels: the one currency at every border of the harness."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ddbench.errors import InvalidOutput

if TYPE_CHECKING:
    import torch

Shape = tuple[int, int, int]
"""(channels, height, width) of an image."""

SOFT_LABEL_TOLERANCE = 1e-3
"""by how much a row of soft labels may miss the sum 1: half-precision files do"""


@dataclass(frozen=True)
class ImageView:
    """How a protocol wants judged images: resized once from their original files, with Pillow, then cropped.

    The shorter side becomes ``shorter`` pixels, the other one in proportion (rounded down), and the central square of
    ``side`` pixels is kept: torchvision's ``Resize(shorter)`` and ``CenterCrop(side)`` of an image file.
    """

    shorter: int
    side: int
    filter: Literal["bilinear", "bicubic", "lanczos"] = "bilinear"
    """Pillow's resampling filter"""

    def __post_init__(self) -> None:
        if not 0 < self.side <= self.shorter:
            raise ValueError(f"a crop of {self.side} px does not fit into images of {self.shorter} px")

    def __str__(self) -> str:
        crop = "" if self.side == self.shorter else f", centre {self.side} px"
        return f"{self.shorter} px {self.filter}{crop}"


@dataclass(frozen=True)
class LabeledImages:
    """Images at every border of the harness: pixels that could be published, never floats.

    images: uint8 (N, C, H, W); labels: int64 (N,), indices into ``classes``; classes: the names (wnids) that
    give a label its identity; soft: None, or float32 (N, K), for each image a distribution over ``classes``.
    Raises InvalidOutput for any other type, shape, an index out of range or rows that are no distributions.
    """

    images: torch.Tensor
    labels: torch.Tensor
    classes: tuple[str, ...]
    soft: torch.Tensor | None = None

    def __post_init__(self) -> None:
        def want(condition: bool, message: str) -> None:
            if not condition:
                raise InvalidOutput(message)

        images, labels = self.images, self.labels
        want(str(images.dtype) == "torch.uint8", f"images must be uint8, not {images.dtype}")
        want(images.ndim == 4, f"images must be (N, C, H, W), not of shape {tuple(images.shape)}")
        want(str(labels.dtype) == "torch.int64", f"labels must be int64, not {labels.dtype}")
        want(
            tuple(labels.shape) == (len(images),),
            f"{len(images)} images came with labels of shape {tuple(labels.shape)}",
        )
        if len(labels):
            want(
                int(labels.min()) >= 0 and int(labels.max()) < len(self.classes),
                f"labels reach from {int(labels.min())} to {int(labels.max())}, there are {len(self.classes)} classes",
            )
        if self.soft is not None:
            shape = (len(images), len(self.classes))
            want(
                str(self.soft.dtype) == "torch.float32" and tuple(self.soft.shape) == shape,
                f"soft labels must be float32 {shape}, not {self.soft.dtype} {tuple(self.soft.shape)}",
            )
            sums = self.soft.sum(1)
            want(
                bool((self.soft >= 0).all()) and bool(((sums - 1).abs() < SOFT_LABEL_TOLERANCE).all()),
                "soft labels must be distributions: no value below 0, each row summing to 1",
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> Shape:
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def digest(self) -> str:
        """Of pixels, labels, class names and soft labels: 64 hex digits."""
        found = hashlib.sha256(json.dumps([self.classes, list(self.images.shape)]).encode())
        for tensor in (self.images, self.labels, self.soft):
            if tensor is not None:
                found.update(tensor.contiguous().numpy().tobytes())
        return found.hexdigest()

    def of_class(self, index: int) -> torch.Tensor:
        """The images, uint8 (n, C, H, W), of the class at ``index``, in stored order."""
        return self.images[self.labels == index]


@dataclass(frozen=True)
class DistilledSet:
    """What a method made: exactly ``ipc`` images of every class, ordered by class.

    Raises InvalidOutput when a class has another number of images.
    """

    data: LabeledImages
    ipc: int

    def __post_init__(self) -> None:
        counts = self.data.labels.bincount(minlength=len(self.data.classes)).tolist()
        wrong = {name: n for name, n in zip(self.data.classes, counts, strict=True) if n != self.ipc}
        if wrong:
            name, n = next(iter(wrong.items()))
            raise InvalidOutput(
                f"{len(wrong)} of {len(counts)} classes do not have ipc = {self.ipc} images; class {name!r} has {n}"
            )
