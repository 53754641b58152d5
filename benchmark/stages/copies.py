"""Images of the judged split in a distilled set: a classifier that was trained on them is not judged by them.

Two measures, both between images in the dataset's own shape. **Equal**: the same pixels, as the set is stored.
**Nearly equal**: both are averaged down to at most 8 x 8 pixels, each channel is taken around its mean, and their
distance, of the set's image or of its mirror image, is below a tenth of the norm of the judged one:
||a - b|| < 0.1 ||b||. What JPEG, noise, resizing or a change of brightness leave of a copy is below that; of real
train images of the digits and of ImageNette at 64 px none is (``pytest tests/perf/test_copies.py -s`` prints it).
Judged images without contrast, below two levels, have no such neighbours. A shifted or cropped copy is not seen.

An image that some train image equals, or is as near to, is a train image first: datasets hold images in both splits.
It is counted as **in both splits**, which is no copying.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddbench.images import LabeledImages

if TYPE_CHECKING:
    import torch

SIDE = 8
"""pixels of a side to which images are averaged down"""
NEAR = 0.1
"""distance below which images are nearly equal, relative to the norm of the judged one"""
AS_NEAR = 1e-3
"""a train image counts as as near to within this, so that rounding decides nothing"""
LEAST_CONTRAST = 2.0
"""standard deviation, in levels, below which a judged image has no neighbours"""
LEAST = 64
"""digests kept of a set"""
CHUNK_BYTES = 16 * 2**20
"""pixels that are averaged down at once"""
ROWS = 4096
"""images of the set that are compared at once"""


@dataclass(frozen=True)
class Copies:
    """Numbers of images of a set, each counted once."""

    images: int
    """all of them"""
    equal: int = 0
    """equal to a judged image, and to no train image"""
    near: int = 0
    """not equal, but nearly equal to a judged image, and to no train image as near"""
    in_both: int = 0
    """equal or nearly equal to a judged image, and to a train image as near"""
    repeated: int = 0
    """equal to an earlier image of the set"""
    digests: tuple[str, ...] = ()
    """of the images that are not repeated, the least ``LEAST``, sorted: those of two sets tell how many they share"""
    example: str = ""
    """the first copy and what it is a copy of"""

    @property
    def copied(self) -> int:
        return self.equal + self.near

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "example"}


class CopiesJudged(Exception):
    """A set holds images of the split that it is judged on: ``CopiesJudged(copies, split)``."""

    @property
    def copies(self) -> Copies:
        found: Copies = self.args[0]
        return found

    def __str__(self) -> str:
        found, split = self.copies, self.args[1]
        return (
            f"{found.copied} of its {found.images} images are images of the judged {split} split ({found.equal} equal, "
            f"{found.near} nearly equal): {found.example}. Distil from train images; --allow-test-copies judges the "
            "set all the same, and tables say so"
        )


def find_copies(made: LabeledImages, judged: LabeledImages, train: Callable[[], LabeledImages]) -> Copies:
    """Compare a distilled set with the judged images, all of one shape, and what is found with the train images.

    ``train`` is called only where something is found. Real images are read in parts, of which one is in memory.
    """
    import torch

    digests = list(_digests(made.images))
    first: dict[bytes, int] = {}
    for i, value in enumerate(digests):
        first.setdefault(value, i)
    repeated = len(digests) - len(first)
    least = tuple(value.hex()[:16] for value in sorted(first)[:LEAST])
    equal = {value: j for j, value in enumerate(_digests(judged.images)) if value in first}
    queries = Queries.of(made.images)
    nearest, place = queries.nearest(judged.images)
    hits = [i for i, value in enumerate(digests) if value in equal]
    close = [i for i in (nearest < NEAR).nonzero()[:, 0].tolist() if digests[i] not in equal]
    if not hits and not close:
        return Copies(len(made), repeated=repeated, digests=least)
    real = train()
    known = {value for value in _digests(real.images) if value in equal} if hits else set()
    copied = [(i, equal[digests[i]], "equal") for i in hits if digests[i] not in known]
    if close:
        index = torch.tensor(close)
        scale = _norm(_small(judged.images[place[index]]))
        of_train, _ = queries.at(index).nearest(real.images, scale)
        kept = (of_train > nearest[index] + AS_NEAR).tolist()
        copied += [(i, int(place[i]), "near") for i, keep in zip(close, kept, strict=True) if keep]
    kinds = [kind for _, _, kind in copied]
    return Copies(
        images=len(made),
        equal=kinds.count("equal"),
        near=kinds.count("near"),
        in_both=len(hits) + len(close) - len(copied),
        repeated=repeated,
        digests=least,
        example=_example(made, copied),
    )


def _example(made: LabeledImages, copied: list[tuple[int, int, str]]) -> str:
    if not copied:
        return ""
    i, j, kind = min(copied)
    label = int(made.labels[i])
    place = int((made.labels[:i] == label).sum())
    how = "equals" if kind == "equal" else "nearly equals"
    return f"image {place} of class {made.classes[label]!r} {how} judged image {j}"


def _digests(images: torch.Tensor) -> Iterator[bytes]:
    """A digest of the pixels of each image."""
    for image in images:
        yield hashlib.blake2b(image.contiguous().numpy().data, digest_size=16).digest()


@dataclass(frozen=True)
class Queries:
    """Images of a set and their mirror images, averaged down: float32 (N, D) each."""

    small: torch.Tensor
    mirrored: torch.Tensor

    @staticmethod
    def of(images: torch.Tensor) -> Queries:
        import torch

        parts = [(_small(part), _small(part.flip(-1))) for part in _parts(images)]
        return Queries(torch.cat([small for small, _ in parts]), torch.cat([mirrored for _, mirrored in parts]))

    def at(self, index: torch.Tensor) -> Queries:
        return Queries(self.small[index], self.mirrored[index])

    def nearest(self, images: torch.Tensor, scale: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """The least distance of each query to one of ``images``, uint8 (M, C, H, W), and the place of that: (N,) each.

        Distances are relative to the norm of that one, or to ``scale``, (N,).
        """
        import torch

        best = torch.full((len(self.small),), torch.inf)
        place = torch.zeros(len(self.small), dtype=torch.int64)
        start = 0
        for part in _parts(images):
            others = _small(part)
            norms = _norm(others)
            for rows in torch.arange(len(self.small)).split(ROWS):
                for asked in (self.small[rows], self.mirrored[rows]):
                    relative = torch.cdist(asked, others) / (norms if scale is None else scale[rows, None])
                    if scale is None:
                        relative[:, norms.isinf()] = torch.inf
                    least, where = relative.min(1)
                    better = least < best[rows]
                    best[rows] = torch.where(better, least, best[rows])
                    place[rows] = torch.where(better, where + start, place[rows])
            start += len(part)
        return best, place


def _parts(images: torch.Tensor) -> Iterator[torch.Tensor]:
    return iter(images.split(max(1, CHUNK_BYTES // max(1, images[:1].numel()))))


def _small(images: torch.Tensor) -> torch.Tensor:
    """uint8 (N, C, H, W) -> float32 (N, D), averaged down and taken around the mean of each channel."""
    from torch.nn.functional import adaptive_avg_pool2d

    side = (min(SIDE, images.shape[2]), min(SIDE, images.shape[3]))
    small = adaptive_avg_pool2d(images.float(), side)
    return (small - small.mean((2, 3), keepdim=True)).flatten(1)


def _norm(small: torch.Tensor) -> torch.Tensor:
    """The norm of each row, infinite below LEAST_CONTRAST."""
    norm = small.norm(dim=1)
    return norm.masked_fill(norm < LEAST_CONTRAST * small.shape[1] ** 0.5, float("inf"))
