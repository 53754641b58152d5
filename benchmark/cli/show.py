"""Writing tables to a terminal, stdout or a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

import click

from ddbench.api.terminal import print_terminal
from ddbench.errors import BenchError
from ddbench.results.tables import FORMATS, Tabular, markdown, parquet


def print_tables(tables: Iterable[Tabular], out: TextIO) -> None:
    """Rich tables when ``out`` is a terminal, else Markdown."""
    if out.isatty():
        print_terminal(tables, out)
    else:
        out.write(markdown(tables))


def check_output(form: str | None, out: Path | None) -> None:
    """Raises BenchError for a format that cannot go to the file ``out``, or without one to stdout: before any work."""
    if form == "parquet" and out is None and sys.stdout.isatty():
        raise BenchError("Parquet is no text for a terminal: name a file with --out FILE.")
    if form == "terminal" and out is not None:
        raise BenchError("--format terminal has colours and fits the window: leave out --out, or take --format md.")
    if out is not None:
        from ddbench.api.files import check_folder

        check_folder(out)


def write_tables(tables: Sequence[Tabular], form: str | None, out: Path | None) -> None:
    """Write tables in a format to the file ``out``, or to stdout. Raises BenchError when it cannot be written.

    The default format is rich tables on a terminal, otherwise Markdown.
    """
    from ddbench.api.files import write_file

    check_output(form, out)
    form = form or ("terminal" if out is None and sys.stdout.isatty() else "md")
    if form == "terminal":
        print_terminal(tables, sys.stdout)
        return
    written = parquet(tables) if form == "parquet" else FORMATS[form](list(tables)).encode()
    if out is None:
        click.echo(written, nl=False)
        return
    write_file(out, written)
