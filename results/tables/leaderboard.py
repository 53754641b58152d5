"""A leaderboard as a table."""

from __future__ import annotations

from typing import Any

from ddbench.results.leaderboard import Board, Entry
from ddbench.results.tables.block import ends, epoch
from ddbench.results.tables.captions import Facts
from ddbench.results.tables.model import Column, Item, Table, items
from ddbench.results.tables.text import DASH, percent, seconds

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


def leaderboard_table(board: Board, facts: Facts) -> Table:
    """Best first; methods that are left out are told in the caption."""
    body = tuple(_row(entry, i == 0) for i, entry in enumerate(board.entries))
    rows = "; ".join(f"{dataset}, {arch}, IPC {ipc}" for dataset, arch, ipc in board.rows)
    left_out = "".join(f" Not ranked: {method}, {why}." for method, why in board.left_out.items())
    caption = (
        f"Mean rank and mean top-1 accuracy (%) {epoch(board.select)} over {len(board.rows)} "
        f"row{'s' * (len(board.rows) != 1)} ({rows}), with 95 % intervals: of the rank by comparing the method with "
        "every other (the larger p of the t test over distilled sets and the exact sign-flip test over judged images, "
        "corrected after Holm), of the accuracy by the t distribution over distilled sets. s / image: embedding, "
        "fine-tuning and distilling for each image. front: no other method is as cheap and better, or cheaper and as "
        "good. n: distilled sets in a row."
        f"{left_out} {facts.place(board.split, board.protocol)}{facts.outside(e.method for e in board.entries)}"
    )

    def data() -> list[dict[str, Any]]:
        return [_data(board, entry) for entry in board.entries]

    return Table(COLUMNS, body, caption, data)


def _row(entry: Entry, first: bool) -> tuple[Item, ...]:
    interval = f"{percent(entry.interval.low)} to {percent(entry.interval.high)}" if entry.interval else DASH
    counts = sorted(set(entry.sets))
    return (
        *items(f"{entry.rank:g}" if entry.rank == int(entry.rank) else f"{entry.rank:.1f}"),
        *items(f"{entry.low:.3g} to {entry.high:.3g}"),
        Item(entry.method, "best" if first else ""),
        *items(percent(entry.mean), interval, seconds(entry.seconds), FRONT if entry.front else ""),
        *items(" or ".join(map(str, counts))),
    )


def _data(board: Board, entry: Entry) -> dict[str, Any]:
    return {
        "split": board.split,
        "protocol": board.protocol,
        "select": board.select,
        "rows": len(board.rows),
        "method": entry.method,
        "rank": entry.rank,
        "rank_low": entry.low,
        "rank_high": entry.high,
        "top1_mean": entry.mean,
        **ends(entry.interval),
        "seconds_per_image": entry.seconds,
        "front": entry.front,
        "distilled_sets": min(entry.sets),
    }
