"""What choosing the epoch on the judged images is worth: best minus last, in percentage points."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from ddbench.results.tables.block import STUB, WHOLE, Block, ipc_text
from ddbench.results.tables.model import Column, Item, Table, items
from ddbench.results.tables.text import DASH, points


def optimism_table(block: Block) -> Table:
    """Mean best minus last of the cells of each position; the last row is the mean of a column over its rows.

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
