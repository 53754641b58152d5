"""The network in whose features a kernel compares images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ddbench.methods.embedder import TrainedEmbedder
from ddbench.types import StageContext

if TYPE_CHECKING:
    from ddbench.methods.diffusion.model import DiffusionModel

NAME = "kernel-surrogate"
"""under which the state stands beside the model"""


@dataclass(frozen=True)
class KernelSurrogate(TrainedEmbedder):
    """A classifier of the train split, as the selection methods train one; it stands beside the diffusion model."""

    apart: ClassVar[bool] = True

    def load(self, folder: Path, before: DiffusionModel, ctx: StageContext) -> Any:
        before.beside[NAME] = super().load(folder, None, ctx)
        return before
