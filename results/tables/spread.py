"""Where the spread of each number comes from: distilled sets or classifiers, and what it makes of the mean."""

from __future__ import annotations

from ddbench.results.tables.block import STUB, UNKNOWN, WHOLE, Block, epoch, ipc_text, root
from ddbench.results.tables.model import Column, Item, Table, items
from ddbench.results.tables.text import DASH, percent

COLUMNS = (
    *STUB,
    Column("method", "l", "Method"),
    Column("top-1"),
    Column("95 % interval"),
    Column("sd of sets"),
    Column("sd of classifiers"),
    Column("sd of the rest"),
    Column("n"),
)


def spread_table(block: Block) -> Table:
    """A row for each position."""
    body = []
    for row in [*block.rows, *dict.fromkeys((*row[:2], WHOLE) for row in block.rows if row[2] != WHOLE)]:
        body += [_row(row, m, block) for m in block.methods if (row, m) in block.estimates]
    caption = (
        f"Top-1 accuracy (%) {epoch(block.select)}, its 95 % t interval over distilled sets (judged by classifiers of "
        "these seeds), and where its spread comes from: standard deviations in percentage points of distilled sets, of "
        "seeds of classifiers whatever the set, and of the rest, in a random-effects model by the method of moments. A "
        "negative variance is 0; a dash needs more sets or classifiers. n: distilled sets x classifiers. "
        f"{block.facts.place(block.split, block.protocol)}"
    )
    return Table(COLUMNS, tuple(body), caption, block.data, stub=3)


def _row(row: tuple[str, str, int], method: str, block: Block) -> tuple[Item, ...]:
    value = block.estimates[row, method]
    where = (row[0], row[1], ipc_text(row[2]), method)
    n = f"{value.sets} x {value.classifiers}"
    if value.mean is None:
        return items(*where, f"({value.note})", DASH, DASH, DASH, DASH, n)
    interval = value.interval()
    ends = f"{percent(interval.low)} to {percent(interval.high)}" if interval else DASH
    spreads = (percent(root(variance), 2) for variance in vars(value.components or UNKNOWN).values())
    return items(*where, percent(value.mean), ends, *spreads, n)
