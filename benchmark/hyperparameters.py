"""Types of hyper-parameters; a value outside its range is refused when the configuration is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Interval


@dataclass(frozen=True)
class MemoryOnly:
    """Marks an option that says how many are computed at once: what is made must not depend on it."""


Count = Annotated[int, Ge(1)]
MicroBatch = Annotated[int, Ge(1), MemoryOnly()]
"""`bench check` tries other values, and wants the same images"""
NonNegativeInt = Annotated[int, Ge(0)]
Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Interval(ge=0, le=1)]
