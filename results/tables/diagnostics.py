"""What stands behind each number of a block: where its spread comes from, and what choosing the epoch is worth."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from ddbench.results.statistics import WHOLE
from ddbench.results.tables.block import STUB, UNKNOWN, Block, ipc_text, root
from ddbench.results.tables.captions import epoch
from ddbench.results.tables.model import Column, Item, Table, items
from ddbench.results.tables.text import DASH, percent, percent_interval, points

SPREAD_COLUMNS = (
    *STUB,
    Column("method", "l", "Method"),
    Column("top-1"),
    Column("95 % interval"),
    Column("sd of sets"),
    Column("sd of classifiers"),
    Column("sd of the rest"),
    Column("n"),
)


def spread_table(block: Block) -> Table:
    """Where the spread of each number comes from, distilled sets or classifiers: a row for each position."""
    body = []
    for row in [*block.rows, *dict.fromkeys((*row[:2], WHOLE) for row in block.rows if row[2] != WHOLE)]:
        body += [_spread_row(row, m, block) for m in block.methods if (row, m) in block.estimates]
    intervals = [ends for value in block.estimates.values() if value.mean is not None and (ends := value.interval())]
    cut = ", cut off at 0 and 100" if any(ends.low <= 0 or ends.high >= 1 for ends in intervals) else ""
    caption = (
        f"Top-1 accuracy (%) {epoch(block.select)}, its 95 % t interval over distilled sets (judged by classifiers of "
        f"these seeds{cut}), and where its spread comes from: standard deviations in percentage points of distilled "
        "sets, of seeds of classifiers whatever the set, and of the rest, in a random-effects model by the method of "
        "moments. A negative variance is 0; a dash needs more sets or classifiers. n: distilled sets x classifiers. "
        f"{block.facts.place(block.split, block.protocol)}"
    )
    return Table(SPREAD_COLUMNS, tuple(body), caption, block.data, stub=3)


def _spread_row(row: tuple[str, str, int], method: str, block: Block) -> tuple[Item, ...]:
    value = block.estimates[row, method]
    where = (row[0], row[1], ipc_text(row[2]), method)
    n = f"{value.sets} x {value.classifiers}"
    if value.mean is None:
        return items(*where, f"({value.note})", DASH, DASH, DASH, DASH, n)
    ends = percent_interval(value.interval())
    spreads = (percent(root(variance), 2) for variance in vars(value.components or UNKNOWN).values())
    return items(*where, percent(value.mean), ends, *spreads, n)


def optimism_table(block: Block) -> Table:
    """What choosing the epoch on the judged images is worth: mean best minus last, in percentage points.

    The cells of each position are averaged; the last row is the mean of a column over its rows.

    It is never negative. The mean is left out for a method that is not complete in every row where it was asked for.
    """
    asked = {m: [e for (row, name), e in block.estimates.items() if name == m] for m in block.methods}
    means = {m: _mean([e.optimism for e in found]) for m, found in asked.items()}
    body = []
    for row in block.rows:
        found = [block.at(row, method) for method in block.methods]
        texts = [DASH if e is None else f"({e.note})" if e.note else points(e.optimism) for e in found]
        body.append(items(row[0], row[1], ipc_text(row[2]), *texts))
    body.append((*items("mean", "", ""), *(Item(points(means[method])) for method in block.methods)))
    study = [e for (row, _), e in block.estimates.items() if e.optimism is not None and row[2] != WHOLE]
    worth = _mean([e.optimism for e in study])
    told = (
        f" Choosing the epoch on the judged images is worth {points(worth)} points on average over {len(study)} "
        f"position{'s' * (len(study) != 1)} of this table, all real data left out."
        if worth is not None
        else ""
    )
    caption = (
        "Top-1 accuracy at the best epoch minus that at the last, in percentage points, mean over cells (distilled "
        f"sets and classifiers).{told} {block.facts.place(block.split, block.protocol)}"
    )

    def data() -> list[dict[str, Any]]:
        return [
            {
                **block.coordinates(row, method),
                "best_minus_last": value.optimism,
                "cells_ok": value.ok,
                "cells": value.cells,
                "note": value.note,
            }
            for (row, method), value in sorted(block.estimates.items(), key=block.place)
        ]

    return Table((*STUB, *(Column(m) for m in block.methods)), tuple(body), caption, data, stub=2)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if values and len(known) == len(values) else None
