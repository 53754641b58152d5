"""From records to one number a table cell: what is averaged over what, and when nothing is."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmark.types import Cell, Record

Select = Literal["last", "best"]


@dataclass(frozen=True)
class Position:
    """A place in a table: a cell without its seeds."""

    dataset: str
    split: str
    protocol: str
    arch: str
    ipc: int
    method: str

    @staticmethod
    def of(cell: Cell) -> Position:
        return Position(cell.dataset, cell.split, cell.protocol, cell.arch, cell.ipc, cell.method)


@dataclass(frozen=True)
class Estimate:
    """Top-1 accuracy at a position, as fractions.

    mean: over the distilled sets, each first averaged over its classifiers. sd: sample standard deviation (ddof = 1)
    of the distilled sets' averages, None for a single set. ``note`` says why there is no mean.
    """

    mean: float | None
    sd: float | None
    sets: int
    """distilled sets asked for"""
    classifiers: int
    """classifiers trained on each of them"""
    cells: int
    ok: int
    note: str = ""


def estimate(wanted: Mapping[Cell, str], records: Iterable[Record], select: Select) -> dict[Position, Estimate]:
    """The estimate at each position of the cells ``wanted`` (cell -> key), in their order.

    A position with a missing or failed cell, or whose cells come from several configurations, has no mean: an average
    of what happens to be there would be read as the whole.
    """
    by_key = {record.key: record for record in records}
    positions: dict[Position, list[tuple[Cell, Record | None]]] = {}
    for cell, key in wanted.items():
        positions.setdefault(Position.of(cell), []).append((cell, by_key.get(key)))
    return {position: _estimate(members, select) for position, members in positions.items()}


def accuracy(record: Record, select: Select) -> float:
    """The accuracy that a record stands for: of the final epoch, or the best along the curve (optimistic)."""
    return record.last if select == "last" else record.best


def _estimate(members: list[tuple[Cell, Record | None]], select: Select) -> Estimate:
    by_set: dict[int, list[float]] = {}
    good = [record for _, record in members if record is not None and record.outcome == "ok"]
    for record in good:
        by_set.setdefault(record.cell.seed, []).append(accuracy(record, select))
    sets = len({cell.seed for cell, _ in members})
    counts: dict[str, Any] = {
        "sets": sets,
        "classifiers": len({cell.eval_seed for cell, _ in members}),
        "cells": len(members),
        "ok": len(good),
    }
    if len(good) < len(members):
        failed = [record.outcome for _, record in members if record is not None and record.outcome != "ok"]
        why = f"{len(failed)} {failed[0].replace('_', ' ')}" if failed else f"{len(members) - len(good)} missing"
        return Estimate(mean=None, sd=None, note=f"{why} of {len(members)}", **counts)
    if len({record.config["evaluate"].get("variant") for record in good}) > 1:
        return Estimate(mean=None, sd=None, note="mixed configurations", **counts)
    averages = [statistics.fmean(values) for values in by_set.values()]
    return Estimate(mean=statistics.fmean(averages), sd=statistics.stdev(averages) if sets > 1 else None, **counts)
