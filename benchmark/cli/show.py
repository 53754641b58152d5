"""Tables on a terminal, or as Markdown where there is none."""

from __future__ import annotations

from typing import TextIO

from results.tables import Block, as_text, markdown

STYLES = {"best": "bold green", "second": "underline"}


def print_tables(tables: list[Block], out: TextIO) -> None:
    """A rich table for each block when ``out`` is a terminal, else Markdown."""
    if not out.isatty():
        out.write(markdown(tables))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=out, highlight=False)
    for block in tables:
        shown = Table(caption=block.caption(), caption_justify="left", header_style="bold")
        for name in ("dataset", "arch"):
            shown.add_column(name)
        shown.add_column("IPC", justify="right")
        for method in block.methods:
            shown.add_column(Text(method), justify="right")
        before = None
        for row in block.rows:
            marks = block.marks(row)
            cells = [
                Text(as_text(block.estimates.get((row, m))), style=STYLES.get(marks.get(m, ""), ""))
                for m in block.methods
            ]
            repeated = before == row[:2]
            shown.add_row(*("" if repeated else name for name in row[:2]), str(row[2]), *cells)
            before = row[:2]
        console.print(shown)
