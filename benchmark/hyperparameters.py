"""Types of hyper-parameters with their ranges, checked when the configuration is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

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
