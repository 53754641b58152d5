"""Drawing a search of hyper-parameters as a sensitivity plot."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ddbench.api.files import check_format
from ddbench.results.plots.notes import search_note
from ddbench.results.sensitivity import Parameter, Setting, draw
from ddbench.store.opening import open_store
from ddbench.tune.record import TrialRow, Tune, find, latest
from ddbench.types import Cell
from ddbench.wording import counted


def draw_sensitivity(store: Path | str, tune: str | None, out: Path) -> None:
    """Draw validation accuracy against each parameter of a search (id or file; None: the latest) to the file ``out``.

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
        note(search),
    )


def note(tune: Tune) -> str:
    """What stands below the figure of a search: sets, classifiers, split, protocol, and what the bars are."""
    complete = [row for row in tune.trials if row.outcome == "ok"] or tune.trials
    return search_note([Cell(**judged["cell"]) for row in complete for judged in row.cells])


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
        )
        for row in rows
    ]
