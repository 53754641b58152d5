"""Tables on a terminal, fitted to its width: no number is ever cut in two."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from ddbench.results.tables import Block, Table, Tabular, method_tables

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

STYLES = {"best": "bold green", "second": "underline"}


def print_terminal(tables: Iterable[Tabular], out: TextIO) -> None:
    """What repeats down the leading columns is written once.

    Where a terminal is too narrow, the main table turns its methods into rows; any other gets narrow headings, and says
    above itself what is the same in all its rows. On a file or pipe, lines are as long as they need.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(file=out, highlight=False)
    for tabular in tables:
        whole = tabular.table()
        width = _width(_rich(whole), console)
        if not out.isatty():
            console.width = max(80, width)
        for table in method_tables([tabular]) if isinstance(tabular, Block) and width > console.width else [whole]:
            shown = _rich(table)
            if _width(shown, console) > console.width:
                same, rest = _apart(table)
                shown = _rich(rest, compact=True)
                if same:
                    console.print(Text(same))
            console.print(shown)
            console.print(Text(table.caption), "\n", sep="", end="")


def _width(shown: RichTable, console: Console) -> int:
    """Of a table on lines as long as they like."""
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(max_width=10_000), shown).maximum


def _apart(table: Table) -> tuple[str, Table]:
    """What all rows say alike in their leading columns, as a line, and the table without those columns."""
    first = table.rows[0] if table.rows else ()
    same = [n for n in range(table.stub) if first and all(row[n] == first[n] for row in table.rows)]
    told = ", ".join(f"{table.columns[n].title} {first[n].text}" for n in same)
    kept = [n for n in range(len(table.columns)) if n not in same]
    columns = tuple(table.columns[n] for n in kept)
    rows = tuple(tuple(row[n] for n in kept) for row in table.rows)
    return told, replace(table, columns=columns, rows=rows, stub=table.stub - len(same))


def _rich(table: Table, compact: bool = False) -> RichTable:
    """``compact``: headings of a word a line and no frame."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(header_style="bold", box=box.SIMPLE_HEAD if compact else box.HEAVY_HEAD, pad_edge=not compact)
    for column in table.columns:
        title = column.title.replace(" ", "\n") if compact else column.title
        shown.add_column(Text(title), justify="left" if column.align == "l" else "right", overflow="fold")
    for i, row in enumerate(table.rows):
        texts = [Text(item.text, style=STYLES.get(item.mark, "")) for item in row]
        for place in range(table.stub):
            if i and not table.starts_group(i, place + 1):
                texts[place] = Text("")
        shown.add_row(*texts)
    return shown
