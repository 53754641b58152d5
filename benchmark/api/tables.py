"""Tables in the layouts of ``bench table``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.api.captions import facts_of
from ddbench.api.choices import LAYOUTS, Layout, check_margin
from ddbench.api.files import write_file
from ddbench.api.sets import sized_sets
from ddbench.api.stores import Stores
from ddbench.errors import unknown
from ddbench.results.statistics import Select
from ddbench.results.statistics.equivalence import MARGIN
from ddbench.results.tables import TEXT, Spread, Tabular, as_csv, as_json, latex, markdown, parquet, rows
from ddbench.types import Cell, Record

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Tables:
    """Tables, which print as Markdown, show as HTML in a notebook, and convert to other formats."""

    tables: Sequence[Tabular]

    def __str__(self) -> str:
        return self.to_markdown().rstrip("\n")

    def _repr_html_(self) -> str:
        from ddbench.results.tables.html import as_html

        return as_html(self.tables)

    def to_markdown(self) -> str:
        return markdown(self.tables)

    def to_latex(self) -> str:
        """LaTeX tables with booktabs."""
        return latex(self.tables)

    def to_csv(self) -> str:
        """The numbers behind the tables, accuracies as fractions; JSON, Parquet and ``frame`` hold the same."""
        return as_csv(self.tables)

    def to_json(self) -> str:
        return as_json(self.tables)

    def to_parquet(self, out: Path | str) -> None:
        write_file(Path(out), parquet(self.tables))

    def frame(self) -> pd.DataFrame:
        """A row for each number of the tables; a column of numbers that are all missing is float64."""
        import pandas as pd

        frame = pd.DataFrame(rows(self.tables))
        missing = [name for name in frame if name not in TEXT and frame[name].isna().all()]
        return frame.astype(dict.fromkeys(missing, "float64"))


def make_tables(
    layout: Layout,
    stores: Stores,
    cells: Mapping[Cell, str],
    records: Sequence[Record],
    which: Select = "last",
    spread: Spread = "sd",
    reference: str | None = None,
    margin: float = 100 * MARGIN,
) -> Tables:
    """The tables of ``cells`` in a layout. ``reference``: the method that the ablation compares with; ``margin``:
    percentage points to within which a published number is to be reproduced.

    Raises BenchError for an unknown layout or reference, and a margin that is not a finite number above zero.
    """
    from ddbench.results.statistics import samples
    from ddbench.results.tables import blocks

    if layout not in LAYOUTS:
        raise unknown("layout", layout, LAYOUTS)
    check_margin(margin)
    by_position, facts = samples(cells, records, which), facts_of(records)
    main = blocks({position: sample.estimate for position, sample in by_position.items()}, which, facts, spread)
    if layout == "methods":
        from ddbench.results.tables import method_tables

        return Tables(method_tables(main))
    if layout == "best-last":
        from ddbench.results.tables.diagnostics import optimism_table

        return Tables([optimism_table(block) for block in main])
    if layout == "balanced":
        from ddbench.results.tables.balanced import balanced_table

        return Tables([balanced_table(block) for block in main])
    if layout == "spread":
        from ddbench.results.tables.diagnostics import spread_table

        return Tables([spread_table(block) for block in main])
    if layout == "ablation":
        from ddbench.results.tables.ablation import ablation_tables

        return Tables(ablation_tables(by_position, facts, reference))
    if layout == "cost":
        from ddbench.results.tables.cost import cost_tables

        return Tables(cost_tables(by_position, sized_sets(stores, records), spread))
    if layout == "labels":
        from ddbench.results.tables.labels import label_tables

        return Tables(label_tables(by_position, facts, spread, sized_sets(stores, records)))
    if layout == "published":
        from ddbench.results.published import load_published
        from ddbench.results.tables.published import beside_tables

        return Tables(beside_tables(by_position, load_published(), facts, margin / 100))
    return Tables(main)
