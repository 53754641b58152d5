"""The tables of distribution shift as plain values for the page."""

from __future__ import annotations

from dataclasses import dataclass

from ddbench.results.report.tables import Number
from ddbench.results.shift import ShiftBlock
from ddbench.results.tables.shift import UNMEASURED, meaning, reasons, shift_text


@dataclass(frozen=True)
class ShiftPart:
    """A table of shift: titles of measures, and a row for each method."""

    title: str
    titles: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Number, ...]], ...]
    """(method, its numbers), as the titles"""
    caption: str
    meaning: str


def shift_part(block: ShiftBlock) -> ShiftPart:
    """A block as it stands on the page."""
    columns = block.columns()
    rows = []
    for row in block.rows:
        numbers = []
        for column in columns:
            value = row.values.get(column.key, UNMEASURED)
            text, _, spread = shift_text(column, value).partition(" ± ")
            numbers.append(Number(text, spread, value[0]))
        rows.append((row.method, tuple(numbers)))
    caption = "Averages over classes, ± sample standard deviation over distilled sets."
    return ShiftPart(
        title=f"{block.dataset}, IPC {block.ipc}, {block.words or block.space}",
        titles=tuple(column.header for column in columns),
        rows=tuple(rows),
        caption=" ".join((caption, *reasons(block))),
        meaning=meaning(block),
    )
