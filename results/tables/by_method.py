"""The main table turned: methods as rows, IPC as columns, as ImageNet-1K is mostly shown."""

from __future__ import annotations

from collections.abc import Iterable

from ddbench.results.tables.block import WHOLE, Block, RowKey, ipc_text
from ddbench.results.tables.model import Column, Item, Table, items
from ddbench.results.tables.text import as_text


def method_tables(blocks: Iterable[Block]) -> list[Table]:
    """A table for each split, protocol, dataset and arch."""
    return [_table(block, place) for block in blocks for place in dict.fromkeys(row[:2] for row in block.rows)]


def _table(block: Block, place: tuple[str, str]) -> Table:
    rows: list[RowKey] = [row for row in block.rows if row[:2] == place]
    marks = {row: block.marks(row) for row in rows}
    shown = [m for m in block.methods if any(block.at(row, m) for row in rows)]
    body = [
        (*items(m), *(Item(as_text(block.at(row, m), block.spread), marks[row].get(m, "")) for row in rows))
        for m in shown
    ]
    columns = (Column("method", "l", "Method"), *(Column(f"IPC {ipc_text(row[2])}") for row in rows))
    kept = {(row, m) for row in [*rows, (*place, WHOLE)] for m in shown}
    part = {key: value for key, value in block.estimates.items() if key in kept}
    alone = Block(block.split, block.protocol, block.select, tuple(rows), tuple(shown), part, block.facts, block.spread)
    return Table(columns, tuple(body), f"{place[0]}, {place[1]}. {alone.caption()}", alone.data)
