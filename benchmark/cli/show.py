"""Tables on a terminal, in a file, or as text or data on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

import click

from benchmark.errors import BenchError
from results.tables import FORMATS, Tabular, markdown, parquet

STYLES = {"best": "bold green", "second": "underline"}


def print_tables(tables: Iterable[Tabular], out: TextIO) -> None:
    """Rich tables when ``out`` is a terminal, else Markdown."""
    if out.isatty():
        print_terminal(tables, out)
    else:
        out.write(markdown(tables))


def print_terminal(tables: Iterable[Tabular], out: TextIO) -> None:
    """Rich tables, fitted to the terminal; what repeats down the leading columns is written once."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    console = Console(file=out, highlight=False)
    for tabular in tables:
        table = tabular.table()
        shown = Table(caption=Text(table.caption), caption_justify="left", header_style="bold")
        for column in table.columns:
            shown.add_column(Text(column.title), justify="left" if column.align == "l" else "right")
        for i, row in enumerate(table.rows):
            texts = [Text(item.text, style=STYLES.get(item.mark, "")) for item in row]
            for place in range(table.stub):
                if i and not table.starts_group(i, place + 1):
                    texts[place] = Text("")
            shown.add_row(*texts)
        if not out.isatty():  # a file or pipe has no width to fit
            console.width = max(80, Measurement.get(console, console.options.update(max_width=10_000), shown).maximum)
        console.print(shown)


def write_tables(tables: Sequence[Tabular], form: str, out: Path | None) -> None:
    """Write in a format to the file ``out``, or to stdout. Raises BenchError where that cannot be."""
    from benchmark.store import write_atomically

    if form == "parquet" and out is None and sys.stdout.isatty():
        raise BenchError("Parquet is no text for a terminal: name a file with --out FILE.")
    if form == "terminal":
        if out is not None:
            raise BenchError("--format terminal has colours and fits the window: leave out --out, or take --format md.")
        print_terminal(tables, sys.stdout)
        return
    written = parquet(tables) if form == "parquet" else FORMATS[form](list(tables)).encode()
    if out is None:
        click.echo(written, nl=False)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, written)
    except OSError as error:
        raise BenchError(f"cannot write {out}: {error.strerror}. Name a writable file with --out.") from None
