"""The main table of the papers: dataset, architecture and IPC as rows, methods as columns; or methods as rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ddbench.results.statistics import WHOLE, Estimate, Position, RowKey, Select
from ddbench.results.statistics.intervals import Components, Interval
from ddbench.results.statistics.paired import Comparison
from ddbench.results.tables.captions import CaptionFacts, Spread, epoch, spread_words
from ddbench.results.tables.model import Column, Item, Mark, Table, items
from ddbench.results.tables.text import as_text

STUB = (Column("dataset", "l", "Dataset"), Column("arch", "l", "Model"), Column("IPC"))


@dataclass(frozen=True)
class Block:
    """Cells that may stand in one table: one split and one protocol. Rows and columns in the order of the runs."""

    split: str
    protocol: str
    select: Select
    rows: tuple[RowKey, ...]
    methods: tuple[str, ...]
    estimates: Mapping[tuple[RowKey, str], Estimate]
    facts: CaptionFacts = field(default_factory=CaptionFacts)
    spread: Spread = "sd"

    def at(self, row: RowKey, method: str) -> Estimate | None:
        """The estimate in a row and column; None for a position that no run asked for."""
        return self.estimates.get((row, method)) or self.estimates.get(((*row[:2], WHOLE), method))

    def arch(self, name: str) -> str:
        """The arch as it is shown, marked where it differs from its source."""
        return self.facts.arch(name, self.split, self.protocol)

    def place(self, item: tuple[tuple[RowKey, str], Estimate]) -> tuple[int, int]:
        """Sorts estimates row by row, those of the whole train split first."""
        row, method = item[0]
        return self.rows.index(row) if row in self.rows else -1, self.methods.index(method)

    def marks(self, row: RowKey) -> dict[str, Mark]:
        """``best`` and ``second`` of the methods of a row; numbers that are equal as shown share a mark.

        The whole train split, an upper bound, is not marked.
        """
        shown = {
            m: round(100 * e.mean, 1)
            for m in self.methods
            if (e := self.estimates.get((row, m))) and e.mean is not None and row[2] != WHOLE
        }
        return marks_of(shown)

    def caption(self) -> str:
        counts = sorted({(e.sets, e.classifiers) for (row, _), e in self.estimates.items() if row[2] != WHOLE})
        whole = sorted({(m, e.classifiers) for (row, m), e in self.estimates.items() if row[2] == WHOLE})
        sets = " or ".join(
            f"n = {s} distilled set{'s' * (s > 1)}, {c} classifier{'s' * (c > 1)} each" for s, c in counts
        )
        of_sets = f"over distilled sets ({sets})" if counts else "over classifiers"
        upper = "".join(
            f" {m}: all real train images, {f'± over {n} classifiers' if n > 1 else '1 classifier'}." for m, n in whole
        )
        return (
            f"Top-1 accuracy (%) {epoch(self.select)}: mean ± {spread_words(self.spread)} {of_sets}.{upper} "
            f"{self.facts.place(self.split, self.protocol)}{self.facts.notes(self.methods)}"
        )

    def table(self) -> Table:
        body = []
        for row in self.rows:
            marks = self.marks(row)
            cells = [Item(as_text(self.at(row, m), self.spread), marks.get(m, "")) for m in self.methods]
            body.append((*items(row[0], self.arch(row[1]), ipc_text(row[2])), *cells))
        columns = (*STUB, *(Column(self.facts.name(method)) for method in self.methods))
        return Table(columns, tuple(body), self.caption(), self.data, stub=2)

    def coordinates(self, row: RowKey, method: str) -> dict[str, Any]:
        """The coordinates of a number, for data formats."""
        dataset, arch, ipc = row
        where = {"dataset": dataset, "split": self.split, "protocol": self.protocol, "arch": arch, "ipc": ipc}
        return {**where, "method": method}

    def data(self) -> list[dict[str, Any]]:
        """One object for each position, accuracies as fractions."""
        return [
            {
                **self.coordinates(row, method),
                "select": self.select,
                "top1_mean": value.mean,
                "top1_sd": value.sd,
                **ends(value.interval()),
                **{f"sd_of_{name}": root(variance) for name, variance in vars(value.components or UNKNOWN).items()},
                "distilled_sets": value.sets,
                "classifiers": value.classifiers,
                "cells_ok": value.ok,
                "cells": value.cells,
                "note": value.note,
            }
            for (row, method), value in sorted(self.estimates.items(), key=self.place)
        ]


UNKNOWN = Components(None, None, None)


def method_tables(blocks: Iterable[Block]) -> list[Table]:
    """The main table turned, as ImageNet-1K is mostly shown: methods as rows, IPC as columns.

    A table for each split, protocol, dataset and arch.
    """
    return [_method_table(block, place) for block in blocks for place in dict.fromkeys(row[:2] for row in block.rows)]


def _method_table(block: Block, place: tuple[str, str]) -> Table:
    rows: list[RowKey] = [row for row in block.rows if row[:2] == place]
    marks = {row: block.marks(row) for row in rows}
    shown = [m for m in block.methods if any(block.at(row, m) for row in rows)]
    body = [
        (
            *items(block.facts.name(m)),
            *(Item(as_text(block.at(row, m), block.spread), marks[row].get(m, "")) for row in rows),
        )
        for m in shown
    ]
    columns = (Column("method", "l", "Method"), *(Column(f"IPC {ipc_text(row[2])}") for row in rows))
    kept = {(row, m) for row in [*rows, (*place, WHOLE)] for m in shown}
    part = {key: value for key, value in block.estimates.items() if key in kept}
    alone = Block(block.split, block.protocol, block.select, tuple(rows), tuple(shown), part, block.facts, block.spread)
    return Table(columns, tuple(body), f"{place[0]}, {block.arch(place[1])}. {alone.caption()}", alone.data)


def root(variance: float | None) -> float | None:
    return None if variance is None else variance**0.5


def ends(interval: Interval | None) -> dict[str, float | None]:
    """A 95 % interval for data formats."""
    return {"ci95_low": interval.low if interval else None, "ci95_high": interval.high if interval else None}


def compared(one: Comparison | None) -> dict[str, Any]:
    """A comparison for data formats: p values, and the interval with its confidence, both corrected by Holm."""
    interval = one.interval if one else None
    return {
        "ci_low": interval.low if interval else None,
        "ci_high": interval.high if interval else None,
        "ci_confidence": one.confidence if one and interval else None,
        "p_sets": one.p_sets if one else None,
        "p_images": one.p_images if one else None,
        "p_holm": one.adjusted if one else None,
    }


def marks_of(shown: Mapping[str, float]) -> dict[str, Mark]:
    """``best`` and ``second`` among numbers as they are shown, larger being better; nothing for a single one."""
    if len(shown) < 2:
        return {}
    top = sorted(set(shown.values()), reverse=True)[:2]
    marks: tuple[Mark, Mark] = ("best", "second")
    return {name: marks[top.index(value)] for name, value in shown.items() if value in top}


def ipc_text(ipc: int) -> str:
    return "all" if ipc == WHOLE else str(ipc)


def blocks(
    estimates: Mapping[Position, Estimate], select: Select, facts: CaptionFacts | None = None, spread: Spread = "sd"
) -> list[Block]:
    """The estimates as one table for each split and protocol: a column never mixes them."""
    groups: dict[tuple[str, str], dict[Position, Estimate]] = {}
    for position, value in estimates.items():
        groups.setdefault((position.split, position.protocol), {})[position] = value
    return [
        Block(
            split=split,
            protocol=protocol,
            select=select,
            rows=_rows([p.row for p in group]),
            methods=tuple(dict.fromkeys(p.method for p in group)),
            estimates={(p.row, p.method): e for p, e in group.items()},
            facts=facts or CaptionFacts(),
            spread=spread,
        )
        for (split, protocol), group in groups.items()
    ]


def _rows(keys: list[RowKey]) -> tuple[RowKey, ...]:
    """The rows that are shown: one for the whole train split only where its dataset and arch have no other."""
    found = sorted(set(keys), key=_by_ipc_within(keys))
    others = {row[:2] for row in found if row[2] != WHOLE}
    return tuple(row for row in found if row[2] != WHOLE or row[:2] not in others)


def _by_ipc_within(rows: Iterable[RowKey]) -> Callable[[RowKey], tuple[int, int, int]]:
    """Sort rows by first appearance of dataset and arch, then by ipc."""
    rows = list(rows)
    datasets = {name: i for i, name in enumerate(dict.fromkeys(row[0] for row in rows))}
    archs = {name: i for i, name in enumerate(dict.fromkeys(row[1] for row in rows))}
    return lambda row: (datasets[row[0]], archs[row[1]], row[2])
