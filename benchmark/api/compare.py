"""Comparing two stores, or two selections of cells, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddbench.api.captions import facts_of
from ddbench.api.hardware import hardware_of
from ddbench.api.selection import pinned, select
from ddbench.api.stores import Stores
from ddbench.api.tables import Tables
from ddbench.errors import BenchError, unknown
from ddbench.results.comparison import FIELDS, matched, regressions
from ddbench.results.statistics import Select, samples
from ddbench.results.tables.comparison import comparison_table
from ddbench.types import Record

EXAMPLE = "Example: bench compare --a method=rsm --b method=dit"


@dataclass(frozen=True)
class Compared(Tables):
    """The comparison as a table, and how many of its rows regressed."""

    rows: int = 0
    regressed: int = 0
    """number of rows in which B is significantly worse than A, or has no accuracy where A has one"""


@dataclass(frozen=True)
class Side:
    """One side of a comparison: stores, coordinates that select cells, and the name in the table."""

    name: str
    stores: Stores
    coordinates: Mapping[str, Any]


def compare_sides(
    a: Side, b: Side, filters: Mapping[str, Sequence[Any] | None] | None = None, which: Select = "last"
) -> Compared:
    """Compare A with B wherever both have an accuracy. Both must have coordinates of the same fields. Raises
    BenchError."""
    if set(a.coordinates) != set(b.coordinates):
        raise BenchError(f"--a and --b must name the same fields. {EXAMPLE}")
    records: list[Record] = []
    sides, hardware = [], []
    for side in (a, b):
        for field in side.coordinates:
            if field not in FIELDS:
                raise unknown("field", field, FIELDS, where=side.name)
        cells = pinned(select(side.stores.wanted, filters or {}), side.coordinates)
        judged = side.stores.records(cells)
        records.extend(judged)
        hardware.append(hardware_of(judged))
        sides.append(samples(cells, judged, which))
    places = matched(sides[0], sides[1], set(a.coordinates))
    table = comparison_table(places, a.name, b.name, facts_of(records), (hardware[0], hardware[1]))
    return Compared([table], rows=len(places), regressed=len(regressions(places)))
