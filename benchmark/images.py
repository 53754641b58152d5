"""Labelled images, the one type in which images pass between datasets, methods, protocols and the store, and what is
known of them before they are decoded."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ddbench.errors import InvalidOutput
from ddbench.stored_labels import StoredLabels

if TYPE_CHECKING:
    import torch

Shape = tuple[int, int, int]
"""(channels, height, width) of an image."""

MODES = {1: "L", 3: "RGB"}
"""number of channels -> Pillow's mode of an image file"""

SOFT_LABEL_TOLERANCE = 1e-3
"""how far the sum of a row of soft labels may be from 1, as it is in half-precision files"""


NO_DISTRIBUTION = "is no distribution: no value below 0, and all of them sum to 1"


def wrong_distribution(row: Sequence[float]) -> str:
    """What is wrong with a soft label, the shares of all classes, as a predicate; empty for a distribution."""
    broken = next((value for value in row if not math.isfinite(value)), None)
    if broken is not None:
        return f"holds {broken}: probabilities are numbers"
    total, least = sum(row), min(row, default=0.0)
    apart = abs(total - 1) >= SOFT_LABEL_TOLERANCE
    if apart and (least < 0 or max(row) > 1):
        return (
            f"is no distribution: it sums to {total:.4g} and reaches from {least:.4g} to {max(row):.4g}, as logits do; "
            "give probabilities, their softmax"
        )
    if least < 0:
        return f"holds a negative probability, {least:.4g}: no share is below 0"
    return f"is no distribution: it sums to {total:.4g}, not to 1" if apart else ""


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
class DataFacts:
    """What is known of a dataset before an image is decoded, for ``problems`` of preparations, methods and protocols.

    Their ``problems`` are asked before the first stage of a run, and in a dry run, which is ``light``: then they import
    nothing heavy and fetch nothing. Each problem is a sentence or two: what is wrong, where, and what to type next.
    """

    name: str
    classes: tuple[str, ...]
    shape: Shape
    """of the train images"""
    light: bool = False
    train_images: int | None = None
    """how many they are, or at most are where images may be left out when they are read; None: unknown"""


@dataclass(frozen=True)
class LabeledImages:
    """Images with their labels: uint8 pixels that could be published, never floats.

    images: uint8 (N, C, H, W); labels: int64 (N,), indices into ``classes``; classes: K names (wnids); soft: None, or
    float32 (N, K), a distribution over ``classes`` for each image; stored: None, or views of the images with a
    teacher's outputs. Raises InvalidOutput for another type or shape, a label out of range, a row of ``soft`` that is
    no distribution, or stored labels of another set.
    """

    images: torch.Tensor
    labels: torch.Tensor
    classes: tuple[str, ...]
    soft: torch.Tensor | None = None
    stored: StoredLabels | None = None

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
            apart = (self.soft.sum(1) - 1).abs()
            good = (self.soft >= 0).all(1) & (apart < SOFT_LABEL_TOLERANCE)  # of NaN neither holds
            for i in (~good).nonzero()[:1, 0].tolist():
                wrong, name = wrong_distribution(self.soft[i].tolist()), self.classes[int(labels[i])]
                want(False, f"the soft label of image {i}, of class {name!r}, {wrong or NO_DISTRIBUTION}")

        if self.stored is not None:
            sizes, own = (self.stored.images, self.stored.classes), (len(images), len(self.classes))
            want(sizes == own, f"stored labels are of {sizes} images and classes, the set has {own}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> Shape:
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def digest(self) -> str:
        """SHA-256 of pixels, labels, class names, soft and stored labels, 64 hex digits."""
        checksum = hashlib.sha256(json.dumps([self.classes, list(self.images.shape)]).encode())
        for tensor in (self.images, self.labels, self.soft):
            if tensor is not None:
                checksum.update(tensor.contiguous().numpy().tobytes())
        if self.stored is not None:
            checksum.update(self.stored.digest.encode())
        return checksum.hexdigest()

    def of_class(self, index: int) -> torch.Tensor:
        """The images, uint8 (n, C, H, W), of the class at ``index``, in stored order."""
        return self.images[self.labels == index]


@dataclass(frozen=True)
class DistilledSet:
    """A distilled set: exactly ``ipc`` images of every class, ordered by class.

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
