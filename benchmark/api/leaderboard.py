"""Leaderboards: the methods of stores, ranked, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ddbench.api.captions import facts_of
from ddbench.api.sets import facts_of_sets
from ddbench.api.stores import Stores
from ddbench.api.tables import Tables
from ddbench.errors import BenchError
from ddbench.results.leaderboard import boards
from ddbench.results.statistics import Select, samples
from ddbench.results.tables.leaderboard import leaderboard_table
from ddbench.types import WHOLE, Cell, Record


def make_leaderboard(
    stores: Stores, cells: Mapping[Cell, str], records: Sequence[Record], which: Select = "last"
) -> Tables:
    """A board for each protocol and split, of the methods that are complete in all of its rows.

    Raises BenchError when nothing was distilled.
    """
    if all(cell.ipc == WHOLE for cell in cells):
        raise BenchError("there is nothing distilled to rank. `bench run` makes some.")
    facts = facts_of(records)
    ranked = boards(samples(cells, records, which), facts_of_sets(stores, records))
    return Tables([leaderboard_table(board, facts) for board in ranked])
