"""The main table of a run as it fills, cell by cell."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ddbench.errors import BenchError
from ddbench.plan.graph import Plan, Stage
from ddbench.results.statistics import WHOLE, Estimate, Position, Sample
from ddbench.results.tables import Item, Table, blocks, method_tables
from ddbench.stages.run import StageResult
from ddbench.types import Cell, Record
from ddbench.wording import counted

COUNT = re.compile(r"\((\d+)/(\d+)")
"""how many of its cells a number is of, where it is not all"""


@dataclass(frozen=True)
class Row:
    """A row of one of the tables that a board is shown as."""

    table: int
    row: int
    positions: frozenset[Position]


class Board:
    """The cells of a plan by their positions in the main table, and what is being done for which of them."""

    def __init__(self, plan: Plan, read: Callable[[str], Iterable[Record]] = lambda key: ()) -> None:
        """``read(key)``: the record of a cell that another process made."""
        self._plan, self._read = plan, read
        self._members: dict[Position, list[tuple[Cell, Record | None]]] = {}
        self._place: dict[str, list[tuple[Position, int]]] = {}
        """key of a cell -> where it is in the members of its positions"""
        for cell, key in plan.cells.items():
            members = self._members.setdefault(Position.of(cell), [])
            self._place.setdefault(key, []).append((Position.of(cell), len(members)))
            members.append((cell, None))
        self._estimates = {position: self._estimate(position) for position in self._members}
        self._serves: dict[str, set[Position]] | None = None
        self._rows: dict[bool, list[Row]] = {}
        self._under_way: dict[str, None] = {}
        self._latest: dict[Position, int] = {}
        """position -> ``changes`` when its last record came"""
        self.changes = 0
        """grows whenever the table is no longer as it was"""

    def add(self, records: Iterable[Record]) -> None:
        """Enter records of cells, in place of earlier ones."""
        for record in records:
            # What a table does not need is dropped: the answers on 50,000 test images are 12 kB for each cell.
            variant = record.config.get("evaluate", {}).get("variant")
            kept = replace(record, correct="", config={"evaluate": {"variant": variant}}, run={})
            for position, n in self._place.get(record.key, ()):
                cell, _ = self._members[position][n]
                self._members[position][n] = (cell, kept)
                self._estimates[position] = self._estimate(position)
                self.changes += 1
                self._latest[position] = self.changes

    def started(self, stage: Stage) -> None:
        self._under_way[stage.key] = None
        self.changes += 1

    def finished(self, stage: Stage, result: StageResult) -> None:
        self._under_way.pop(stage.key, None)
        self.changes += 1
        if stage.kind == "evaluate" and result.outcome == "ok" and not result.record:
            with contextlib.suppress(OSError, BenchError):  # a store that does not answer; the last table has it
                self.add(self._read(stage.key))

    def is_complete(self, row: Row) -> bool:
        return all(record is not None for position in row.positions for _, record in self._members[position])

    def tables(self, turned: bool) -> list[Table]:
        """A table for each split and protocol; ``turned``: with methods as rows."""
        found = blocks(self._estimates, "last")
        return [_unmarked(table) for table in (method_tables(found) if turned else [b.table() for b in found])]

    def widest(self) -> list[Table]:
        """The tables with every number as long as it can become, so that a layout that fits them always fits."""
        long = {position: _longest(one) for position, one in self._estimates.items()}
        return [block.table() for block in blocks(long, "last")]

    def rows(self, turned: bool) -> list[Row]:
        """The rows of ``tables(turned)``, in their order."""
        if turned not in self._rows:
            self._rows[turned] = list(self._find_rows(turned))
        return self._rows[turned]

    def by_interest(self, turned: bool) -> list[Row]:
        """The rows: first those that are being worked on, then those with the latest numbers, then those that wait."""
        serves = self._served()
        active = sorted((serves.get(key, set()) for key in list(self._under_way)), key=len)
        order: dict[Position, int] = {}
        for positions in active:
            for position in positions:
                order.setdefault(position, len(order) if len(positions) < len(self._members) else len(self._members))

        def interest(row: Row) -> tuple[int, int, int]:
            rank = min((order[p] for p in row.positions if p in order), default=len(self._members) + 1)
            latest = max((self._latest.get(p, 0) for p in row.positions), default=0)
            return rank, -latest, int(self.is_complete(row))

        return sorted(self.rows(turned), key=interest)

    def _find_rows(self, turned: bool) -> Iterator[Row]:
        table = 0
        for block in blocks(self._estimates, "last"):
            here = {p for p in self._members if (p.split, p.protocol) == (block.split, block.protocol)}
            places = list(dict.fromkeys(row[:2] for row in block.rows)) if turned else [None]
            for place in places:
                if place is None:
                    for i, (dataset, arch, ipc) in enumerate(block.rows):
                        found = (p for p in here if p.row[:2] == (dataset, arch) and p.ipc in (ipc, WHOLE))
                        yield Row(table, i, frozenset(found))
                else:
                    of_place = {p for p in here if p.row[:2] == place}
                    shown = [m for m in block.methods if any(p.method == m for p in of_place)]
                    for i, method in enumerate(shown):
                        yield Row(table, i, frozenset(p for p in of_place if p.method == method))
                table += 1

    def _estimate(self, position: Position) -> Estimate:
        return Sample(position, tuple(self._members[position])).so_far

    def _served(self) -> dict[str, set[Position]]:
        """Key of a stage -> the positions that need it."""
        if self._serves is None:
            self._serves = {}
            for cell, key in self._plan.cells.items():
                for stage in self._plan.ancestors(key):
                    self._serves.setdefault(stage.key, set()).add(Position.of(cell))
        return self._serves


def _longest(one: Estimate) -> Estimate:
    return replace(one, mean=0.888, ok=one.cells - 1, note="") if one.cells > 1 else replace(one, mean=0.888, note="")


def _unmarked(table: Table) -> Table:
    """Without marks, since the best number so far need not be the best in the end."""
    rows = tuple(tuple(Item(item.text) for item in row) for row in table.rows)
    return replace(table, rows=rows, caption=caption_of([rows]))


def caption_of(tables: Iterable[Iterable[tuple[Item, ...]]]) -> str:
    """What the numbers in the rows of tables are, with one of the counts in them, if any, explained."""
    texts = [item.text for rows in tables for row in rows for item in row]
    counts = [(int(found[1]), int(found[2])) for text in texts if (found := COUNT.search(text))]
    if not counts:
        return "Top-1 (%)."
    done, cells = next((count for count in counts if count[0]), counts[0])
    what = f"mean of {done} of {counted(cells, 'cell')}" if done else f"none of {counted(cells, 'cell')} yet"
    return f"Top-1 (%) so far; ({done}/{cells}): {what}."
