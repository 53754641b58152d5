"""Types of hyper-parameters with their ranges, checked when the configuration is loaded, and options of computing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

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


Precision = Literal["fp32", "tf32", "bf16"]
"""in what format a network is computed (``ddbench.computing``)"""
Compilation = Literal["none", "blocks"]
"""blocks: torch compiles the repeated blocks of a network one by one, a small network as a whole; seconds to minutes
at first, then faster steps"""

FORMER: dict[str, dict[Any, str]] = {
    "precision": {"float32": "fp32", "bfloat16": "bf16"},
    "compile": {False: "none", True: "blocks"},
}
"""option -> words of release 0.2 for its values, and what they are called now"""


def renamed(option: str, value: Any) -> str:
    """What to say where ``value`` is a former word for a value of ``option``, a key of a configuration; or empty."""
    words = FORMER.get(option.rpartition(".")[2], {})
    now = next((new for old, new in words.items() if old is value or (isinstance(old, str) and old == value)), "")
    return f"It is called {now} now: {option}={now}." if now else ""


@dataclass(frozen=True)
class Compute:
    """How classifiers are computed. No protocol prescribes it, but it changes results, so it is part of their keys."""

    precision: Precision = "fp32"
    """fp32: every product in float32. tf32: products and convolutions in TF32 where a GPU has it. bf16: forward passes
    under autocast; weights, losses and optimiser stay in float32"""
    channels_last: bool = False
    """memory layout of convolutions; faster with batch norm on most GPUs"""
    compile: Compilation = "none"
    """blocks: torch compiles the network: seconds to minutes at first, then faster steps"""

    def to_task(self) -> dict[str, Any]:
        """As JSON, for tasks and their keys: a default is written as release 0.2 wrote it, so that keys stay."""
        former = {"precision": "float32"} if self.precision == "fp32" else {}
        return {**dataclasses.asdict(self), **former, **({"compile": False} if self.compile == "none" else {})}

    @staticmethod
    def from_task(task: Mapping[str, Any]) -> Compute:
        """What ``to_task`` wrote, now or in release 0.2."""
        return Compute(**{name: FORMER.get(name, {}).get(value, value) for name, value in task.items()})
