"""Two stores, or two selections of one, place by place: what differs, and whether that is shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ddbench.errors import BenchError
from ddbench.results.statistics import Position, Sample
from ddbench.results.statistics.paired import Comparison, compare, together

FIELDS = ("dataset", "split", "protocol", "arch", "ipc", "method")
"""coordinates of a position"""


@dataclass(frozen=True)
class Matched:
    """A place in a table that either side has. ``place``: its coordinates but for those in which the sides differ."""

    place: Mapping[str, Any]
    a: Sample | None
    b: Sample | None
    comparison: Comparison | None = None
    """corrected for all places; None where a side is not complete"""

    @property
    def verdict(self) -> str:
        """That of ``comparison``: of B against A; or why they are not compared."""
        if self.comparison:
            return self.comparison.verdict
        lacks = [("A", self.a), ("B", self.b)]
        return "; ".join(f"{name}: {s.note if s else 'not run'}" for name, s in lacks if s is None or s.note)

    @property
    def regressed(self) -> bool:
        """Whether B is shown to be worse, or has no number where A has one."""
        if self.comparison:
            return self.comparison.verdict == "worse"
        return self.a is not None and not self.a.note


def matched(
    a: Mapping[Position, Sample], b: Mapping[Position, Sample], differing: Collection[str] = ()
) -> list[Matched]:
    """The places of both sides, those of A first. ``differing``: coordinates that do not tell places apart.

    Raises BenchError when no place is on both sides.
    """
    sides = [_by_place(side, differing) for side in (a, b)]
    found = []
    for place in dict.fromkeys([*sides[0], *sides[1]]):
        one, other = sides[0].get(place), sides[1].get(place)
        whole = one is not None and other is not None and not one.note and not other.note
        found.append(Matched(dict(place), one, other, compare(one, other) if whole and one and other else None))
    if not any(match.a and match.b for match in found):
        raise BenchError("A and B have no place (dataset, split, protocol, arch, IPC, method) in common.")
    corrected = iter(together(match.comparison for match in found if match.comparison))
    return [replace(match, comparison=next(corrected)) if match.comparison else match for match in found]


def _by_place(samples: Mapping[Position, Sample], differing: Collection[str]) -> dict[tuple[Any, ...], Sample]:
    fields = [field for field in FIELDS if field not in differing]
    return {tuple((f, getattr(position, f)) for f in fields): sample for position, sample in samples.items()}


def regressions(found: Sequence[Matched]) -> list[Matched]:
    return [match for match in found if match.regressed]
