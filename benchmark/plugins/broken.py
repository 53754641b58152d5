"""Placeholders for registered methods, networks and datasets that cannot be imported: only their own cells fail, with
the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddbench.types import Cache, Dataset, Distiller, LabeledImages, Network, Shape, Split, StageContext

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class BrokenMethod(Distiller):
    """A method that cannot be imported."""

    reason: str

    def distill(self, real: LabeledImages, state: Any, ipc: int, ctx: StageContext) -> LabeledImages:
        raise ImportError(self.reason)


@dataclass(frozen=True)
class BrokenNetwork(Network):
    """A network that cannot be imported."""

    reason: str

    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        raise ImportError(self.reason)


@dataclass(frozen=True)
class BrokenDataset(Dataset):
    """A dataset that cannot be imported."""

    called: str
    reason: str

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.called

    @property
    def classes(self) -> tuple[str, ...]:
        return ()

    @property
    def shape(self) -> Shape:
        return 0, 0, 0

    @property
    def split_name(self) -> str:
        return "unknown"

    def train_counts(self) -> tuple[int, ...]:
        return ()

    def fingerprint(self, split: Split) -> str:
        return "unknown"

    def load(self, split: Split, cache: Cache | None = None) -> LabeledImages:
        raise ImportError(self.reason)
