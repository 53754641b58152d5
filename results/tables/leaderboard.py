"""A leaderboard as a table."""

from __future__ import annotations

from typing import Any

from ddbench.results.leaderboard import Board, Standing, Unresolved
from ddbench.results.statistics.power import MOST_SETS, POWER, Separation
from ddbench.results.tables.block import ends
from ddbench.results.tables.captions import LARGER_P, ONE_SET, CaptionFacts, epoch
from ddbench.results.tables.model import Column, Item, Table, items
from ddbench.results.tables.text import percent, percent_interval, seconds

COLUMNS = (
    Column("rank"),
    Column("rank interval"),
    Column("method", "l", "Method"),
    Column("top-1"),
    Column("95 % interval"),
    Column("s / image"),
    Column("front", "l"),
    Column("n"),
)
FRONT = "yes"


def leaderboard_table(board: Board, facts: CaptionFacts) -> Table:
    """Best first; methods that are left out are told in the caption."""
    body = tuple(_row(standing, i == 0, facts) for i, standing in enumerate(board.standings))
    rows = "; ".join(f"{dataset}, {arch}, IPC {ipc}" for dataset, arch, ipc in board.rows)
    left_out = "".join(f" Not ranked: {method}, {why}." for method, why in board.left_out.items())
    caption = (
        f"Mean rank and mean top-1 accuracy (%) {epoch(board.select)} over {len(board.rows)} "
        f"row{'s' * (len(board.rows) != 1)} ({rows}), with 95 % intervals: of the rank by comparing the method with "
        f"every other ({LARGER_P}, corrected after Holm), of the accuracy by the t distribution over distilled sets. "
        "s / image: embedding, fine-tuning and distilling for each image. front: no other method is as cheap and "
        "better, or cheaper and as good. n: distilled sets in a row."
        f"{_resolution(board)}{left_out} {facts.place(board.split, board.protocol)}"
        f"{facts.notes(standing.method for standing in board.standings)}"
    )

    def data() -> list[dict[str, Any]]:
        return [_data(board, standing) for standing in board.standings]

    return Table(COLUMNS, body, caption, data)


def _resolution(board: Board) -> str:
    """What the caption says where methods are not tested, or cannot be told apart."""
    if len(board.standings) < 2:
        return ""
    if any(standing.ranks is None for standing in board.standings):
        return f" {ONE_SET}"
    return f" {_unresolved(board.unresolved, board)}" if board.unresolved else ""


def _unresolved(it: Unresolved, board: Board) -> str:
    counts = sorted({n for standing in board.standings for n in standing.sets})
    told = f"No two methods can be told apart with n = {' or '.join(map(str, counts))}."
    if it.images:
        return (
            f"{told} Some differ over sets but not over the judged images: more sets would not help, more images would."
        )
    leaders = f"; {_needed(it.leaders)} that of the first two ({_size(it.leaders)})" if it.leaders else ""
    return (
        f"{told} With the spread measured here (sd of the difference of two sets: {percent(it.sd)} points) it takes "
        f"{_needed(it.largest)} a method to show the largest difference in a row ({_size(it.largest)}) with a chance "
        f"of {100 * POWER:.0f} %{leaders}."
    )


def _needed(it: Separation) -> str:
    return f"more than {MOST_SETS} sets" if it.sets is None else f"about {it.sets} sets"


def _size(it: Separation) -> str:
    return f"{percent(it.difference)} points"


def _row(standing: Standing, first: bool, facts: CaptionFacts) -> tuple[Item, ...]:
    rank, ranks = standing.rank, standing.ranks
    counts = sorted(set(standing.sets))
    return (
        *items(f"{rank:g}" if rank == int(rank) else f"{rank:.1f}"),
        *items(f"{ranks[0]:.3g} to {ranks[1]:.3g}" if ranks else "not tested"),
        Item(facts.name(standing.method), "best" if first else ""),
        *items(percent(standing.mean), percent_interval(standing.interval)),
        *items(seconds(standing.seconds), FRONT if standing.front else ""),
        *items(" or ".join(map(str, counts))),
    )


def _data(board: Board, standing: Standing) -> dict[str, Any]:
    return {
        "split": board.split,
        "protocol": board.protocol,
        "select": board.select,
        "rows": len(board.rows),
        "method": standing.method,
        "rank": standing.rank,
        "rank_low": standing.ranks[0] if standing.ranks else None,
        "rank_high": standing.ranks[1] if standing.ranks else None,
        "top1_mean": standing.mean,
        **ends(standing.interval),
        "seconds_per_image": standing.seconds,
        "front": standing.front,
        "distilled_sets": min(standing.sets),
    }
