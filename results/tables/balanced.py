"""Top-1 beside balanced accuracy, for data whose classes are unequal."""

from __future__ import annotations

from typing import Any

from ddbench.results.statistics import WHOLE, Estimate
from ddbench.results.tables.block import STUB, Block, ipc_text
from ddbench.results.tables.model import Column, Item, Table, items
from ddbench.results.tables.text import DASH, percent, points

COLUMNS = (
    *STUB,
    Column("method", "l", "Method"),
    Column("top-1"),
    Column("balanced"),
    Column("difference"),
    Column("lowest class"),
    Column("images a class"),
)


def balanced_table(block: Block) -> Table:
    """A row for each position: top-1 at the last epoch, balanced accuracy, and the class that is recognised least."""
    rows = [*block.rows, *dict.fromkeys((*row[:2], WHOLE) for row in block.rows if row[2] != WHOLE)]
    body = [
        (*items(row[0], block.arch(row[1]), ipc_text(row[2]), block.facts.name(m)), *_numbers(block.estimates[row, m]))
        for row in rows
        for m in block.methods
        if (row, m) in block.estimates
    ]
    caption = (
        "Accuracy (%) at the last epoch: top-1, in which every judged image counts the same; balanced, in which every "
        "class does (the mean over classes of their accuracies), ± sample standard deviation over distilled sets; and "
        "that of the class which is recognised least. A dash: the records do not hold the classes. "
        f"{block.facts.place(block.split, block.protocol)}{block.facts.notes(block.methods)}"
    )

    def data() -> list[dict[str, Any]]:
        return [
            {
                **block.coordinates(row, method),
                "top1_mean": value.last,
                "balanced_mean": value.balanced.mean if value.balanced else None,
                "balanced_sd": value.balanced.sd if value.balanced else None,
                "lowest_class": value.balanced.lowest if value.balanced else None,
                "smallest_class": value.balanced.fewest if value.balanced else None,
                "largest_class": value.balanced.most if value.balanced else None,
                "cells_ok": value.ok,
                "cells": value.cells,
                "note": value.note,
            }
            for (row, method), value in sorted(block.estimates.items(), key=block.place)
        ]

    return Table(COLUMNS, tuple(body), caption, data, stub=3)


def _numbers(value: Estimate) -> tuple[Item, ...]:
    if value.last is None:
        return items(f"({value.note})", *[DASH] * 4)
    if (found := value.balanced) is None:
        return items(percent(value.last), *[DASH] * 4)
    spread = "" if found.sd is None else f" ± {percent(found.sd)}"
    sizes = f"{found.fewest}" if found.fewest == found.most else f"{found.fewest} to {found.most}"
    return items(
        percent(value.last), percent(found.mean) + spread, points(found.mean - value.last), percent(found.lowest), sizes
    )
