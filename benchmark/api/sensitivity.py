"""A search of hyper-parameters as a sensitivity plot, as data, and in words where its optimum is flat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ddbench.api.choices import DEFAULT_STORE, check_margin
from ddbench.api.files import check_folder, write_file
from ddbench.api.tables import Tables
from ddbench.errors import BenchError
from ddbench.results.plots.canvas import FORMATS
from ddbench.results.plots.notes import search_note
from ddbench.results.sensitivity import draw
from ddbench.results.sensitivity_curves import Parameter, Setting
from ddbench.results.sensitivity_data import sensitivity_tables
from ddbench.results.sensitivity_lines import flat_lines
from ddbench.results.statistics.equivalence import MARGIN
from ddbench.results.statistics.intervals import t_quantile
from ddbench.results.tables import Spread
from ddbench.store.opening import open_store
from ddbench.tune.record import TrialRow, Tune, find, latest
from ddbench.types import Cell
from ddbench.wording import counted

DATA = (".csv", ".json")


@dataclass(frozen=True)
class Sensitivity(Tables):
    """The curves and maps of a search, as tables; ``lines`` say for each parameter where its optimum is flat."""

    lines: Sequence[str] = ()


def sensitivity(
    store: Path | str = DEFAULT_STORE,
    tune: str | None = None,
    out: Path | str | Sequence[Path | str] = (),
    interval: Spread = "ci",
    margin: float = 100 * MARGIN,
) -> Sensitivity:
    """How validation accuracy depends on each parameter of the search ``tune`` (id or file; None: the latest).

    out: files to write, each a figure (png, pdf, svg) or its numbers (csv, json) by its suffix; interval: what bars
    are, the 95 % t interval over distilled sets (``ci``) or their standard deviation (``sd``); margin: percentage
    points within which a value must be shown to be of the best for the optimum to be flat there.

    Raises BenchError for an unknown search, a suffix that is neither, a file that cannot be written, and a margin that
    is not a finite number above zero.
    """
    files = [Path(one) for one in ([out] if isinstance(out, str | Path) else out)]
    for file in files:
        if file.suffix.lower() not in (*FORMATS, *DATA):
            raise BenchError(f"--out {file} must end in {', '.join((*FORMATS, *DATA))}: its ending is the format.")
        check_folder(file)
    check_margin(margin)
    search = find(store, tune) if tune else latest(open_store(store, create=False))
    parameters, tried, below = parameters_of(search), settings(search, search.trials), note(search, interval)
    tables = sensitivity_tables(parameters, tried, margin, note(search, "ci"))
    found = Sensitivity(tables, flat_lines(parameters, tried, margin))
    for file in files:
        if file.suffix.lower() in DATA:
            write_file(file, (found.to_csv() if file.suffix.lower() == ".csv" else found.to_json()).encode())
            continue
        title = f"{search.method} on {search.study}: {counted(len(search.trials), 'setting')}"
        try:
            draw(
                file,
                f"{title}, {counted(search.cells, 'cell')} of the validation part",
                parameters,
                tried,
                below,
                interval,
            )
        except OSError as error:
            raise BenchError(f"cannot write {file}: {error.strerror}. Name a writable file with --out.") from None
    return found


def parameters_of(tune: Tune) -> list[Parameter]:
    return [Parameter(key, key.partition(".")[2], text.startswith("log")) for key, text in tune.space.items()]


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
            by_set=row.by_set,
        )
        for row in rows
    ]


def _half(row: TrialRow) -> float | None:
    n = len(row.by_set)
    return None if row.spread is None else t_quantile(n - 1) * row.spread / n**0.5
