"""A handful of images of a dataset, as a dataset: what methods are checked on."""

from __future__ import annotations

from dataclasses import dataclass

from ddbench.types import Cache, Dataset, LabeledImages, Shape, Split


@dataclass(frozen=True)
class Sample(Dataset):
    """The first images of the first classes of ``of``."""

    of: Dataset
    first: int
    """classes"""
    per_class: int
    """images of a class of each split"""

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.of.name

    @property
    def classes(self) -> tuple[str, ...]:
        return self.of.classes[: self.first]

    @property
    def shape(self) -> Shape:
        return self.of.shape

    @property
    def counts_exact(self) -> bool:
        return self.of.counts_exact

    @property
    def split_name(self) -> str:
        return self.of.split_name

    def train_counts(self) -> tuple[int, ...]:
        return tuple(min(n, self.per_class) for n in self.of.train_counts()[: self.first])

    def fingerprint(self, split: Split) -> str:
        return self.of.fingerprint(split)

    def load(self, split: Split, cache: Cache | None = None) -> LabeledImages:
        return self.taken_from(self.of.load(split, cache))

    def taken_from(self, images: LabeledImages) -> LabeledImages:
        """The sample of a split that is loaded already."""
        import torch

        index = [(images.labels == k).nonzero()[: self.per_class, 0] for k in range(len(self.classes))]
        chosen = torch.cat(index)
        return LabeledImages(images.images[chosen], images.labels[chosen], self.classes)
