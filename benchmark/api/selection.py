"""Selecting cells by filters on their coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ddbench.api.choices import FILTERS
from ddbench.errors import BenchError, unknown
from ddbench.types import WHOLE, Cell


def select(cells: Mapping[Cell, str], filters: Mapping[str, Sequence[Any] | None]) -> dict[Cell, str]:
    """The ``cells`` (cell -> key) that pass all filters, ordered by the values of the filters.

    A filter that is None or missing admits all cells; ``ipc`` always admits those of the whole train split. Raises
    BenchError for an unknown filter, a value that no cell has, and when no cell passes.
    """
    for name in filters:
        if name not in FILTERS:
            raise unknown("filter", name, FILTERS)
    kept = dict(cells)
    for name, field in FILTERS.items():
        values = filters.get(name)
        if values is None:
            continue
        known = {getattr(cell, field) for cell in cells}
        for value in values:
            if value not in known:
                raise _unknown(field, value, known, "the runs of this store")
        admitted = [WHOLE, *values] if field == "ipc" else list(values)
        passing = [cell for cell in kept if getattr(cell, field) in admitted]
        if field != "ipc":  # tables are always ordered by IPC
            passing.sort(key=lambda cell: admitted.index(getattr(cell, field)))
        kept = {cell: kept[cell] for cell in passing}
    if cells and not kept:
        raise BenchError("no cell passes all filters at once. `bench table` without them shows what is there.")
    return kept


def pinned(cells: Mapping[Cell, str], coordinates: Mapping[str, Any]) -> dict[Cell, str]:
    """The ``cells`` with the given ``coordinates``. Raises BenchError for a value that no cell has."""
    for field, value in coordinates.items():
        known = {getattr(cell, field) for cell in cells}
        if value not in known:
            raise _unknown(field, value, known, "the runs of these stores")
    return {cell: key for cell, key in cells.items() if all(getattr(cell, f) == v for f, v in coordinates.items())}


def _unknown(field: str, value: Any, known: set[Any], where: str) -> BenchError:
    whole = field == "ipc" and WHOLE in known
    hint = "What trains on all images, such as full, has no such number and is shown beside any." if whole else ""
    named = {name for name in known if not (whole and name == WHOLE)}
    return unknown(field, str(value), map(str, named), where=where, hint=hint)
