"""What stands for a registered method or network that cannot be imported: its cells fail with the reason, no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.types import Distiller, LabeledImages, Network, Shape, StageContext

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
