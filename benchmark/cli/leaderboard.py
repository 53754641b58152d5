"""``bench leaderboard``: ranks the methods of any number of stores, with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.cli.options import (
    filter_options,
    filters_of,
    format_option,
    loaded_plugin_option,
    out_option,
    say,
    select_option,
    stores_options,
)

if TYPE_CHECKING:
    from ddbench.results.statistics import Select


@click.command()
@stores_options
@loaded_plugin_option
@format_option
@select_option
@filter_options
@out_option
def leaderboard(
    stores: tuple[Path | str, ...], form: str | None, which: Select, out: Path | None, **filters: tuple[str, ...]
) -> None:
    """Rank the methods of STORES: a board for each protocol and split, never one across them.

    Only methods that are complete in every row (dataset, arch, IPC) of a board are ranked; filters exclude rows. STORE
    defaults to bench-store; several are read as one, and where they differ the later one counts.
    """
    from ddbench.api.leaderboard import make_leaderboard
    from ddbench.api.selection import select
    from ddbench.api.stores import Stores
    from ddbench.cli.show import write_tables

    opened = Stores(stores, say)
    cells = select(opened.wanted, filters_of(filters))
    write_tables(make_leaderboard(opened, cells, opened.records(cells), which).tables, form, out)
