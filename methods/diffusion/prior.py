"""The prior: the diffusion model that every method of the family starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from benchmark.types import Preparation


@dataclass(frozen=True)
class Prior(Preparation):
    """Makes a ``DiffusionModel``: by training it (``ScratchPrior``) or by loading it (``PretrainedDiT``)."""

    knowledge: ClassVar[str] = ""
    """what a model of this kind knows from outside the train split"""
    stage: ClassVar[Literal["prior"]] = "prior"
