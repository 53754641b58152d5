"""``bench table``: the table of everything that the runs on a store asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from results.statistics import Select

if TYPE_CHECKING:
    from benchmark.store import Store
    from benchmark.types import Cell
    from results.tables import Block

DEFAULT_STORE = "bench-store"

store_option = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_STORE,
    show_default=True,
    help="Folder of artifacts and records.",
)


@click.command()
@store_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "latex", "csv", "json"]),
    default="md",
    show_default=True,
    help="Accuracies are percentages in md and latex, fractions in csv and json.",
)
@click.option(
    "--select",
    type=click.Choice(get_args(Select)),
    default="last",
    show_default=True,
    help="Accuracy at the last epoch, or the best along the curve (chosen on the test images: optimistic).",
)
def table(store: Path, form: str, select: Select) -> None:
    """Print the table of a store: every cell that a run asked for, each in its latest configuration."""
    from benchmark.store import Store
    from results.tables import FORMATS

    opened = Store.open(store, create=False)
    click.echo(FORMATS[form](make_blocks(opened, wanted(opened), select)), nl=False)


def wanted(store: Store) -> dict[Cell, str]:
    """The cells of all runs on a store, each with the key that the latest run gave it."""
    from benchmark.types import Cell

    return {Cell(**cell): key for run in store.runs() for cell, key in run["cells"]}


def make_blocks(store: Store, cells: dict[Cell, str], select: Select) -> list[Block]:
    """The tables of ``cells`` from the records of a store."""
    from results.statistics import estimate
    from results.tables import blocks

    def say(message: str) -> None:
        click.echo(f"bench: {message}", err=True)

    return blocks(estimate(cells, store.records(cells.values(), say), select), select)
