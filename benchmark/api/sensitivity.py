"""Drawing a search of hyper-parameters as a sensitivity plot."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ddbench.api.files import check_format
from ddbench.results.sensitivity import Parameter, Setting, draw
from ddbench.store.opening import open_store
from ddbench.tune.record import TrialRow, Tune, find, latest
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
    )


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
