"""``bench table``: prints the tables of a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.api.choices import LAYOUTS, Layout
from ddbench.cli.choice import Choice
from ddbench.cli.options import (
    Points,
    filter_options,
    filters_of,
    format_option,
    loaded_plugin_option,
    out_option,
    say,
    select_option,
    store_option,
)

if TYPE_CHECKING:
    from ddbench.results.statistics import Select
    from ddbench.results.tables import Spread


@click.command()
@store_option
@loaded_plugin_option
@click.option(
    "--layout",
    type=Choice(LAYOUTS, "layout"),
    default="main",
    show_default=True,
    help="main: methods as columns; methods: as rows, IPC as columns; ablation: the change against a reference; "
    "spread: intervals, and where the spread comes from; cost: seconds and memory; best-last: what choosing the "
    "epoch on the test images is worth; balanced: accuracy with every class counting the same; labels: hard and soft "
    "labels side by side, with DD-Ranking's scores; published: measured beside the papers' numbers (with --select "
    "best, their kind of epoch).",
)
@click.option("--published", is_flag=True, help="As --layout published.")
@format_option
@select_option
@click.option(
    "--interval",
    "spread",
    type=Choice(["sd", "ci"], "interval"),
    default="sd",
    show_default=True,
    help="What ± is: the standard deviation over distilled sets, or half of the 95 % interval of the mean.",
)
@click.option("--reference", help="Of the ablation: the method to compare with; by default the first.")
@click.option(
    "--margin",
    type=Points(),
    default=2.0,
    show_default=True,
    metavar="POINTS",
    help="Of the published layout: how near, in percentage points, a measured mean must be shown to be to count as "
    "reproduced. Neighbouring methods of the published rows lie 2 points apart (median).",
)
@filter_options
@out_option
def table(
    store: Path | str,
    layout: Layout,
    published: bool,
    form: str | None,
    which: Select,
    spread: Spread,
    reference: str | None,
    margin: float,
    out: Path | None,
    **filters: tuple[str, ...],
) -> None:
    """Print a table of a store: every cell that a run asked for, each in its latest configuration."""
    from ddbench.api.selection import select
    from ddbench.api.stores import Stores
    from ddbench.api.tables import make_tables
    from ddbench.cli.show import check_output, write_tables

    check_output(form, out)
    stores = Stores([store], say)
    cells = select(stores.wanted, filters_of(filters))
    chosen = "published" if published else layout
    records = stores.records(cells)
    write_tables(make_tables(chosen, stores, cells, records, which, spread, reference, margin).tables, form, out)
