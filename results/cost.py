"""The cost of distilling a set and of judging it, from its records and from what the store knows of the set."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ddbench.types import Record

OWN = ("embed", "fit", "distill")
"""stages that run for one method; the prior is shared by many"""


@dataclass(frozen=True)
class SetFacts:
    """What a store knows of a distilled set besides its records; None is unknown."""

    images: int | None = None
    memory_mib: int | None = None
    """highest peak of resident memory of the stages in ``OWN``"""
    gpu_mib: int | None = None
    """highest peak of the memory that torch had allocated on the GPU, of the same stages"""


@dataclass(frozen=True)
class SetCost:
    """Means over distilled sets, in seconds; None is unknown or not needed. Memory: the highest peak."""

    prior: float | None
    embed: float | None
    fit: float | None
    distill: float | None
    """of one set"""
    per_image: float | None
    """seconds of ``distill`` for each image"""
    own_per_image: float | None
    """seconds of all stages in ``OWN`` for each image; stages that serve several sets count in full for each"""
    evaluate: float | None
    """of one classifier"""
    memory_mib: int | None
    gpu_mib: int | None


def set_key(record: Record) -> str | None:
    """The key of the distilled set that a record judged."""
    parents = record.config.get("evaluate", {}).get("parents", [])
    return parents[0] if parents else None


def cost_of(records: Sequence[Record], facts: Mapping[str, SetFacts]) -> SetCost:
    """The cost behind successful ``records`` of one position; ``facts``: by key of the distilled set."""
    sets = {set_key(record): record for record in records}
    known = {key: facts.get(key, SetFacts()) if key else SetFacts() for key in sets}
    seconds = {kind: _mean(_seconds(record, kind) for record in sets.values()) for kind in ("prior", *OWN)}
    shares = [_per_image(record, known[key], ("distill",)) for key, record in sets.items()]
    owns = [_per_image(record, known[key], OWN) for key, record in sets.items()]
    return SetCost(
        **seconds,
        per_image=_mean(shares),
        own_per_image=_mean(owns),
        evaluate=_mean(_seconds(record, "evaluate") for record in records),
        memory_mib=_highest(one.memory_mib for one in known.values()),
        gpu_mib=_highest(one.gpu_mib for one in known.values()),
    )


def front(points: Mapping[str, tuple[float, float]]) -> set[str]:
    """The Pareto front: names for which no other is as cheap and more accurate, or cheaper and as accurate.

    points: name -> (cost, accuracy).
    """
    return {
        name
        for name, (cost, accuracy) in points.items()
        if not any(c <= cost and a >= accuracy and (c, a) != (cost, accuracy) for c, a in points.values())
    }


def _seconds(record: Record, kind: str) -> float | None:
    found = record.run.get("seconds", {}).get(kind)
    return None if found is None else float(found)


def _per_image(record: Record, facts: SetFacts, kinds: Sequence[str]) -> float | None:
    if not facts.images or _seconds(record, "distill") is None:
        return None
    return sum(_seconds(record, kind) or 0.0 for kind in kinds) / facts.images


def _mean(values: Iterable[float | None]) -> float | None:
    """None where any is unknown."""
    found = list(values)
    known = [value for value in found if value is not None]
    return statistics.fmean(known) if found and len(known) == len(found) else None


def _highest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
