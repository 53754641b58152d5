"""A search of hyper-parameters as a sensitivity plot, and in words where its optimum is flat."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ddbench.api.files import check_format
from ddbench.results.plots.notes import search_note
from ddbench.results.sensitivity import Parameter, Setting, draw
from ddbench.results.statistics.equivalence import MARGIN
from ddbench.results.statistics.flat import around_best
from ddbench.results.statistics.intervals import t_quantile
from ddbench.results.tables import Spread
from ddbench.store.opening import open_store
from ddbench.tune.record import TrialRow, Tune, find, latest
from ddbench.types import Cell
from ddbench.wording import counted


def draw_sensitivity(
    store: Path | str, tune: str | None, out: Path, spread: Spread = "ci", margin: float = 100 * MARGIN
) -> list[str]:
    """Draw validation accuracy against each parameter of a search (id or file; None: the latest) to the file ``out``,
    and return a line for each parameter that says where its optimum is flat: within ``margin`` percentage points.

    Raises BenchError for an unknown search and a suffix that is not a format of figures.
    """
    check_format(out)
    search = find(store, tune) if tune else latest(open_store(store, create=False))
    title = f"{search.method} on {search.study}: {counted(len(search.trials), 'setting')}"
    draw(
        out,
        f"{title}, {counted(search.cells, 'cell')} of the validation part",
        [Parameter(key, key.partition(".")[2], text.startswith("log")) for key, text in search.space.items()],
        settings(search, search.trials),
        note(search, spread),
        spread,
    )
    return flat_lines(search, margin)


def note(tune: Tune, spread: Spread = "sd") -> str:
    """What stands below the figure of a search: sets, classifiers, split, protocol, and what the bars are."""
    complete = [row for row in tune.trials if row.outcome == "ok"] or tune.trials
    return search_note([Cell(**judged["cell"]) for row in complete for judged in row.cells], spread)


def settings(tune: Tune, rows: Iterable[TrialRow]) -> list[Setting]:
    """``rows`` of a search as input of the plot."""
    chosen = tune.chosen
    return [
        Setting(
            values=row.values,
            varied=row.varied,
            top1=None if row.outcome == "failed" else row.top1,
            spread=row.spread,
            complete=row.outcome == "ok",
            chosen=row == chosen,
            half=_half(row),
        )
        for row in rows
    ]


def flat_lines(tune: Tune, margin: float = 100 * MARGIN) -> list[str]:
    """For each parameter, with the others where the best setting has them: its best value, and which others are shown
    to be within ``margin`` percentage points of it, shown to be worse, or neither."""
    best = tune.chosen
    if best is None:
        return []
    complete = [row for row in tune.trials if row.outcome == "ok"]
    lines = []
    for key in tune.space:
        rest = {other: value for other, value in best.values.items() if other != key}
        line = [row for row in complete if {k: v for k, v in row.values.items() if k != key} == rest]
        by_value = {_text(row.values[key]): row.by_set for row in line if row.top1 is not None}
        if len(by_value) < 2:
            lines.append(f"{key}: {_text(best.values[key])} alone was tried where the best setting has the others")
            continue
        found = around_best(by_value, margin / 100)
        says = {
            "flat": f"shown to be within {margin:g} {'point' if margin == 1 else 'points'} of it",
            "worse": "shown to be worse",
            "not told": "neither",
        }
        told = [
            f"{what}: {', '.join(value for value, near in found.items() if near == kind)}"
            for kind, what in says.items()
            if kind in found.values()
        ]
        top = next(value for value, near in found.items() if near == "best")
        lines.append(f"{key}: best {top} ({100 * statistics.fmean(by_value[top].values()):.1f} %); {'; '.join(told)}")
    return lines


def _half(row: TrialRow) -> float | None:
    n = len(row.by_set)
    return None if row.spread is None else t_quantile(n - 1) * row.spread / n**0.5


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
