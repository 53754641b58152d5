"""Tables on a terminal, fitted to its width without breaking a number."""

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
    """Print tables; repeated values in the leading columns are printed once.

    On a narrow terminal, the main table gets its methods as rows; any other table gets narrow headings, and columns
    whose value is the same in all rows become a line above it. In a file or pipe, lines are as long as need be.
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
    """The width of a table without line breaks."""
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(max_width=10_000), shown).maximum


def _apart(table: Table) -> tuple[str, Table]:
    """The leading columns whose value is the same in all rows, as a line of text, and the table without them."""
    first = table.rows[0] if table.rows else ()
    same = [n for n in range(table.stub) if first and all(row[n] == first[n] for row in table.rows)]
    line = ", ".join(f"{table.columns[n].title} {first[n].text}" for n in same)
    rest = [n for n in range(len(table.columns)) if n not in same]
    columns = tuple(table.columns[n] for n in rest)
    rows = tuple(tuple(row[n] for n in rest) for row in table.rows)
    return line, replace(table, columns=columns, rows=rows, stub=table.stub - len(same))


def _rich(table: Table, compact: bool = False) -> RichTable:
    """``compact``: one word of a heading per line, and no frame."""
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
