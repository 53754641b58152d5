"""The table of distribution shift: methods as rows, measures as columns."""

from __future__ import annotations

from typing import Any

from ddbench.results.shift import COLUMNS, PLAIN, Measure, ShiftBlock
from ddbench.results.tables.model import Column, Table, items
from ddbench.results.tables.text import DASH

UNMEASURED = (None, None)


def shift_table(block: ShiftBlock) -> Table:
    """A table of a block; its data have all measures, also those that have no column here."""
    columns = block.columns()
    body = tuple(
        items(row.method, *(shift_text(column, row.values.get(column.key, UNMEASURED)) for column in columns))
        for row in block.rows
    )

    def data() -> list[dict[str, Any]]:
        return _data(block)

    titles = (Column("method", "l", "Method"), *(Column(column.header) for column in columns))
    return Table(titles, body, shift_caption(block), data)


def shift_caption(block: ShiftBlock) -> str:
    """What was measured where, what each column means, and why rows have no numbers."""
    return " ".join((f"{block.dataset}, IPC {block.ipc}, split {block.split}.", meaning(block), *reasons(block)))


def meaning(block: ShiftBlock) -> str:
    """The space and what the columns mean."""
    columns = block.columns()
    k, epsilon = next((row.options for row in block.rows if row.options), ("k", "epsilon"))
    measures = "; ".join(f"{column.header}: {column.meaning.format(k=k, epsilon=epsilon)}" for column in columns)
    latents = f" Latents: {_latents(block)}." if any(column.key == "latent_ratio" for column in columns) else ""
    single = [column.header for column in COLUMNS if column.several and block.ipc == 1]
    absent = f" {', '.join(single)}: left out, the same for every set of one image a class." if single else ""
    return (
        f"Feature space: {block.space}. Averages over classes, ± sample standard deviation over distilled sets. "
        f"{measures}.{absent}{latents} (real draw): random train images against all others, what a perfect sampler of "
        "the real distribution would score: compare with it, not with 0 or 1. Sets of train images are part of what "
        "they are measured against: that flatters."
    )


def reasons(block: ShiftBlock) -> list[str]:
    """Why rows have no numbers, a sentence each."""
    return [f"{row.method}: {row.note}." for row in block.rows if row.note]


def shift_text(column: Measure, value: tuple[float | None, float | None]) -> str:
    """``0.42 ± 0.03``; a dash where the measure is not defined."""
    mean, sd = value
    if mean is None:
        return DASH
    scale = 100 if column.percent else 1
    spread = "" if sd is None else f" ± {scale * sd:.{column.digits}f}"
    shown = round(scale * mean, column.digits) + 0.0  # no negative zero
    return f"{shown:.{column.digits}f}{spread}"


def _latents(block: ShiftBlock) -> str:
    spaces = {row.latent_space for row in block.rows if row.latent_space}
    known = "pixels in [-1, 1]" if spaces <= {"pixels"} else f"the prior's autoencoder ({', '.join(sorted(spaces))})"
    mixed = ", not the same for all rows: do not compare their `latent`" if len(spaces) > 1 else ""
    return known + mixed


def _data(block: ShiftBlock) -> list[dict[str, Any]]:
    """An object for each method; shares are fractions."""
    place = {"dataset": block.dataset, "split": block.split, "ipc": block.ipc, "space": block.space}
    found = []
    for row in block.rows:
        values: dict[str, float | None] = {}
        for key in [column.key for column in COLUMNS] + list(PLAIN):
            values[key], values[f"{key}_sd"] = row.values.get(key, UNMEASURED)
        about = {"method": row.method, "distilled_sets": row.sets, "latent_space": row.latent_space}
        found.append({**place, **about, **values, "note": row.note})
    return found
