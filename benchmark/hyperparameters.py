"""Types of hyper-parameters with their ranges, checked when the configuration is loaded, and options of computing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval


@dataclass(frozen=True)
class MemoryOnly:
    """Marks an option that trades speed for memory, such as a micro-batch size: results must not depend on it."""


Count = Annotated[int, Ge(1)]
MicroBatch = Annotated[int, Ge(1), MemoryOnly()]
"""how many are computed at once; `bench check` tries other values and expects the same images"""
NonNegativeInt = Annotated[int, Ge(0)]
Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Interval(ge=0, le=1)]


@dataclass(frozen=True)
class Compute:
    """How classifiers are computed. No protocol prescribes it, but it changes results, so it is part of their keys."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: forward passes under autocast; weights, losses and optimiser stay float32"""
    channels_last: bool = False
    """memory layout of convolutions; faster with batch norm on most GPUs"""
    compile: bool = False
    """torch.compile the network: seconds to minutes at first, then faster steps"""
