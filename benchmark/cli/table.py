"""``bench table``: the table of everything that the runs on a store asked for."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import typer

from benchmark.store import Store
from benchmark.types import Cell
from results.statistics import estimate
from results.tables import FORMATS, Block, blocks

DEFAULT_STORE = Path("bench-store")


class Format(str, Enum):  # noqa: UP042 (typer shows the values)
    md = "md"
    latex = "latex"
    csv = "csv"
    json = "json"


class Selection(str, Enum):  # noqa: UP042
    last = "last"
    best = "best"


def table(
    store: Annotated[Path, typer.Option(help="The store to read.")] = DEFAULT_STORE,
    format: Annotated[Format, typer.Option(help="md, latex, csv or json (the last two with fractions).")] = Format.md,
    select: Annotated[Selection, typer.Option(help="Accuracy at the last epoch, or the best along the curve.")] = Selection.last,
) -> None:
    """Print the table of a store: every cell that a run asked for, each in its latest configuration."""
    opened = Store.open(store, create=False)
    typer.echo(FORMATS[format.value](make_blocks(opened, wanted(opened), select.value)), nl=False)


def wanted(store: Store) -> dict[Cell, str]:
    """The cells of all runs on a store, each with the key that the latest run gave it."""
    return {Cell(**cell): key for run in store.runs() for cell, key in run["cells"]}


def make_blocks(store: Store, cells: dict[Cell, str], select: Literal["last", "best"]) -> list[Block]:
    def say(message: str) -> None:
        typer.echo(f"bench: {message}", err=True)

    return blocks(estimate(cells, store.records(cells.values(), say), select), select)
