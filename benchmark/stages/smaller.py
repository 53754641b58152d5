"""Out of memory: a stage is tried once more with half of each micro-batch, which by its type changes no result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from ddbench.config.fields import places_of
from ddbench.config.values import build, plain
from ddbench.hyperparameters import MemoryOnly

if TYPE_CHECKING:
    from ddbench.plan.graph import Stage

_retry: ContextVar[bool] = ContextVar("retry", default=False)


@dataclass(frozen=True)
class OutOfMemory:
    """That a stage ran out of memory: why, the peaks until then in MiB, and the options that were halved for the second
    try, ``{name: [before, after]}``; none where there is nothing to halve."""

    reason: str
    peaks: dict[str, int] = field(default_factory=dict)
    halved: dict[str, list[int]] = field(default_factory=dict)

    def __str__(self) -> str:
        peaks = ", ".join(
            f"{mib} MiB {'of the GPU' if 'gpu' in name else 'resident'}" for name, mib in self.peaks.items()
        )
        told = f"out of memory at a peak of {peaks}" if peaks else "out of memory"
        if not self.halved:
            return told
        halves = ", ".join(f"{name} {before} -> {after}" for name, (before, after) in self.halved.items())
        return f"{told}; tried once more with {halves}, which changes no image"

    def to_json(self) -> dict[str, Any]:
        return {"reason": self.reason, **self.peaks, "halved": self.halved}


def part_of(stage: Stage, name: str) -> Any:
    """The method, preparation, ... of a stage; on the second try with half of its micro-batches."""
    value = build(plain(stage.task[name]), stage.addresses)
    return _halved(value) if _retry.get() else value


def halves(stage: Stage) -> dict[str, list[int]]:
    """The micro-batches of a stage that can be halved: name -> size, and half of it."""
    found: dict[str, list[int]] = {}
    for name in ("method", "preparation", "protocol"):
        if name in stage.task and not _merges(stage):
            value = build(plain(stage.task[name]), stage.addresses)
            found |= {".".join(place): [size, size // 2] for place, size in _sizes(value)}
    return found


@contextmanager
def second_try() -> Iterator[None]:
    """Within the block, ``part_of`` gives parts with half of their micro-batches."""
    token = _retry.set(True)
    try:
        yield
    finally:
        _retry.reset(token)


def _merges(stage: Stage) -> bool:
    """Whether a stage only joins the images of others."""
    return stage.kind == "distill" and list(stage.parents) != stage.task["chain"]


def _sizes(value: Any) -> Iterator[tuple[tuple[str, ...], int]]:
    for place in places_of(value, MemoryOnly):
        size = reduce(getattr, place, value)
        if isinstance(size, int) and size > 1:
            yield place, size


def _halved(value: Any) -> Any:
    for place, size in _sizes(value):
        value = _with(value, place, size // 2)
    return value


def _with(value: Any, place: tuple[str, ...], size: int) -> Any:
    first, *rest = place
    return replace(value, **{first: _with(getattr(value, first), tuple(rest), size) if rest else size})
