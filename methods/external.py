"""Distilled images made by other code, as a method of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ddbench.errors import InvalidOutput
from ddbench.types import Distiller, LabeledImages, StageContext


@dataclass(frozen=True)
class ExternalImages(Distiller):
    """Images read from a folder; ``bench evaluate`` puts them into the store."""

    resized: bool = False
    """whether they were resized to the size of the dataset's images, as the dataset resizes its own"""

    def distill(self, real: LabeledImages, state: Any, ipc: int, ctx: StageContext) -> LabeledImages:
        """Raises InvalidOutput: the harness calls this only when the images are no longer in the store."""
        raise InvalidOutput("these images were given and are lost: run `bench evaluate` on their folder again")
