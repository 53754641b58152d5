"""The results on one or several stores: frames, tables, comparisons, figures and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.api import frames, plots, tables
from ddbench.api.choices import Layout, Plotted, PlotWidth
from ddbench.api.compare import Compared, Side, compare_sides
from ddbench.api.files import check_folder, check_format, write_file
from ddbench.api.leaderboard import make_leaderboard
from ddbench.api.selection import select
from ddbench.api.stores import Say, Stores, say_on_stderr
from ddbench.results.statistics import Select
from ddbench.results.tables import Spread
from ddbench.types import Cell, Outcome, Record
from ddbench.wording import counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Failure:
    """A failed cell and the reason. ``log``: path of a log file, if it exists on this machine."""

    cell: Cell
    outcome: Outcome
    reason: str
    log: str = ""


class Results:
    """The cells that runs asked for, each in its latest configuration, and the records that count for them.

    Accuracies are fractions; tables print them as percentages. ``select`` narrows to some methods, datasets, ...
    """

    def __init__(self, stores: Stores, cells: Mapping[Cell, str] | None = None) -> None:
        self._stores = stores
        self.cells: Mapping[Cell, str] = dict(stores.wanted if cells is None else cells)
        """cell -> key"""

    @cached_property
    def records(self) -> list[Record]:
        """The record that counts for each cell, also of failed and skipped ones; read once."""
        return self._stores.records(self.cells)

    @property
    def failures(self) -> list[Failure]:
        """The cells that failed, with reasons; running the same study again retries them."""
        outcomes = [record for record in self.records if record.outcome not in ("ok", "skipped")]
        return [Failure(record.cell, record.outcome, record.reason, self._log(record)) for record in outcomes]

    def select(self, **filters: Sequence[Any] | None) -> Results:
        """Some of the cells: ``datasets``, ``methods``, ``ipc``, ``archs``, ``protocols``, each a list of values.

        Raises BenchError for a value that no cell has.
        """
        return Results(self._stores, select(self.cells, filters))

    def frame(self, kind: frames.Kind = "records") -> pd.DataFrame:
        """A pandas frame. ``records``: a row for each cell with coordinates, last and best top-1, outcome, reason,
        seconds and peak memory by stage, and hardware; ``curves``: a row for each point of an accuracy curve; ``sets``:
        a row for each distilled set."""
        return frames.make_frame(kind, self._stores, self.cells, self.records)

    def table(
        self,
        layout: Layout = "main",
        select: Select = "last",
        interval: Spread = "sd",
        reference: str | None = None,
        margin: float = 100 * tables.MARGIN,
    ) -> tables.Tables:
        """The table that ``bench table --layout`` prints. ``select``: accuracy of the ``last`` epoch or the ``best`` of
        the curve; ``interval``: ± as sample standard deviation over distilled sets (``sd``) or half a 95 % interval
        (``ci``); ``reference``: the method that the ablation compares with; ``margin``:
        percentage points to within which a published number is to be reproduced. Raises BenchError."""
        return tables.make_tables(layout, self._stores, self.cells, self.records, select, interval, reference, margin)

    def compare(self, a: Mapping[str, Any], b: Mapping[str, Any], select: Select = "last") -> Compared:
        """Compare selections of cells, ``a={"method": "cgs"}`` with ``b={"method": "dit"}``, paired where seeds agree.

        Raises BenchError for unknown fields, values that no cell has, and different fields in ``a`` and ``b``.
        """
        only = Stores.of(self._stores, self.cells)
        return compare_sides(Side(_named(a), only, a), Side(_named(b), only, b), which=select)

    def leaderboard(self, select: Select = "last") -> tables.Tables:
        """Ranks with intervals, a board for each protocol and split. Raises BenchError when nothing was distilled."""
        return make_leaderboard(self._stores, self.cells, self.records, select)

    def plot(
        self,
        kind: Plotted,
        out: Path | str | None = None,
        select: Select = "last",
        width: PlotWidth = "natural",
        tsne: bool = False,
    ) -> plots.Plot:
        """Draw ``curves``, ``ipc``, ``cost`` or ``projection``; also written to ``out`` (png, pdf, svg) if given.

        ``width``: natural, or that of a column or a page of a paper; ``tsne``: of the projection, in place of PCA.
        """
        if out is not None:
            check_format(Path(out))
        plot = plots.make_plot(kind, self._stores, self.cells, select, width, tsne)
        if out is not None:
            plot.save(out)
        return plot

    def report(self, out: Path | str = "report.html", select: Select = "last") -> Path:
        """Write everything as one HTML file that opens offline; its path. Raises BenchError if it cannot be written."""
        from ddbench.api.report import report_page

        check_folder(Path(out))
        page = report_page(self._stores, self.cells, self.records, select)
        write_file(Path(out), page.encode())
        return Path(out)

    def __repr__(self) -> str:
        good = sum(record.outcome == "ok" for record in self.records)
        places = ", ".join(store.address for store in self._stores.members)
        return f"<Results of {places}: {counted(len(self.cells), 'cell')}, {good} judged, {len(self.failures)} failed>"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def _log(self, record: Record) -> str:
        name = record.run.get("output")
        paths = [store.root / name for store in self._stores.members] if isinstance(name, str) else []
        return next((str(path) for path in paths if path.exists()), "")


def load(*stores: Path | str, say: Say = say_on_stderr) -> Results:
    """The results on one store or several (folders, or URLs such as ``s3://bucket/path``), read as one.

    Raises BenchError for a folder without a store, saying what is in it, and when nothing was run on the stores.
    """
    opened = Stores(stores or ("bench-store",), say)
    opened.check_asked()
    return Results(opened)


def _named(coordinates: Mapping[str, Any]) -> str:
    return ",".join(f"{field}={value}" for field, value in coordinates.items())
