"""All real train images: the upper row of a table, not a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from benchmark.types import Distiller, LabeledImages, StageContext


@dataclass(frozen=True)
class Full(Distiller):
    """Nothing is distilled: classifiers train on the whole train split, once for a dataset, arch and protocol.

    The protocol counts the images of the largest class as ipc.
    """

    whole: ClassVar[bool] = True

    def distill(self, real: LabeledImages, state: Any, ipc: int, ctx: StageContext) -> LabeledImages:
        return real
