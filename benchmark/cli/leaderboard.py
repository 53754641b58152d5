"""``bench leaderboard``: the methods of any number of stores in order, with how sure that order is."""

from __future__ import annotations

from pathlib import Path

import click

from ddbench.api.selection import filter_options, select
from ddbench.cli.table import DEFAULT_STORE, StoreType, format_option, out_option, say, select_option
from ddbench.errors import BenchError
from ddbench.results.statistics import Select


@click.command()
@click.argument("stores", nargs=-1, type=StoreType(path_type=Path, file_okay=False), metavar="[STORE]...")
@format_option
@select_option
@filter_options
@out_option
def leaderboard(
    stores: tuple[Path, ...], form: str | None, which: Select, out: Path | None, **filters: tuple[str, ...]
) -> None:
    """Rank the methods of STORES: a board for each protocol and split, never one across them.

    Only methods that are complete in every row (dataset, arch, IPC) of a board are ranked; leave rows out with the
    filters. STORE is bench-store when none is named; several are read as one, later ones before earlier ones.
    """
    from ddbench.api.captions import facts_of
    from ddbench.api.sets import made_of
    from ddbench.api.stores import Several
    from ddbench.cli.show import write_tables
    from ddbench.results.leaderboard import boards
    from ddbench.results.statistics import samples
    from ddbench.results.tables.leaderboard import leaderboard_table

    opened = Several(stores or (Path(DEFAULT_STORE),), say)
    cells = select(opened.wanted, filters)
    if not any(cell.ipc for cell in cells):
        raise BenchError("there is nothing distilled to rank. `bench run` makes some.")
    records = opened.records(cells)
    made = made_of(opened.members, records)
    facts = facts_of(records)
    found = boards(samples(cells, records, which), made)
    write_tables([leaderboard_table(board, facts) for board in found], form, out)
