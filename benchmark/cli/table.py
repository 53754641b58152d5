"""``bench table``: the tables of everything that the runs on a store asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from ddbench.api.selection import filter_options, select
from ddbench.results.statistics import Select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ddbench.results.tables import Block, Spread
    from ddbench.results.tables.model import Tabular
    from ddbench.store.folder import Store
    from ddbench.types import Cell, Record

DEFAULT_STORE = "bench-store"
LAYOUTS = ("main", "methods", "ablation", "spread", "cost", "best-last", "published")
FORMATS = ("terminal", "md", "latex", "csv", "json", "parquet")


class StoreType(click.Path):
    """A folder, as a Path, or a URL (``s3://bucket/path``), as text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if "://" in str(value) else super().convert(value, param, ctx)


store_option = click.option(
    "--store",
    type=StoreType(path_type=Path, file_okay=False),
    default=DEFAULT_STORE,
    show_default=True,
    metavar="DIR|URL",
    help="Artifacts and records: a folder, or a bucket such as s3://bucket/path.",
)

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Default: terminal on a terminal, else md. Accuracies are percentages in terminal, md and latex, fractions in "
    "csv, json and parquet.",
)
out_option = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file in place of stdout."
)
select_option = click.option(
    "--select",
    "which",
    type=click.Choice(get_args(Select)),
    default="last",
    show_default=True,
    help="Accuracy at the last epoch, or the best along the curve (chosen on the test images: optimistic).",
)


@click.command()
@store_option
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default="main",
    show_default=True,
    help="main: methods as columns; methods: as rows, IPC as columns; ablation: the change against a reference; "
    "spread: intervals, and where the spread comes from; cost: seconds and memory; best-last: what choosing the "
    "epoch on the test images is worth; published: measured beside the papers' numbers (with --select best, their "
    "kind of epoch).",
)
@click.option("--published", is_flag=True, help="As --layout published.")
@format_option
@select_option
@click.option(
    "--interval",
    "spread",
    type=click.Choice(["sd", "ci"]),
    default="sd",
    show_default=True,
    help="What ± is: the standard deviation over distilled sets, or half of the 95 % interval of the mean.",
)
@click.option("--reference", help="Of the ablation: the method to compare with; by default the first.")
@click.option(
    "--margin",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    metavar="POINTS",
    help="Of the published layout: how near, in percentage points, a measured mean must be shown to be to count as "
    "reproduced. Neighbouring methods of the published rows lie 2 points apart (median).",
)
@filter_options
@out_option
def table(
    store: Path | str,
    layout: str,
    published: bool,
    form: str | None,
    which: Select,
    spread: Spread,
    reference: str | None,
    margin: float,
    out: Path | None,
    **filters: tuple[str, ...],
) -> None:
    """Print a table of a store: every cell that a run asked for, each in its latest configuration."""
    from ddbench.cli.show import write_tables
    from ddbench.store.opening import open_store

    opened = open_store(store, create=False)
    cells = select(wanted(opened), filters)
    records = opened.records(set(cells.values()), say)
    made = _layout("published" if published else layout, opened, cells, records, which, spread, reference, margin)
    write_tables(made, form, out)


def _layout(
    layout: str,
    store: Store,
    cells: Mapping[Cell, str],
    records: Sequence[Record],
    which: Select,
    spread: Spread,
    reference: str | None,
    margin: float,
) -> Sequence[Tabular]:
    from ddbench.api.captions import facts_of
    from ddbench.results.statistics import samples
    from ddbench.results.tables import blocks

    found, facts = samples(cells, records, which), facts_of(records)
    made = blocks({position: sample.estimate for position, sample in found.items()}, which, facts, spread)
    if layout == "methods":
        from ddbench.results.tables import method_tables

        return method_tables(made)
    if layout == "best-last":
        from ddbench.results.tables.diagnostics import optimism_table

        return [optimism_table(block) for block in made]
    if layout == "spread":
        from ddbench.results.tables.diagnostics import spread_table

        return [spread_table(block) for block in made]
    if layout == "ablation":
        from ddbench.results.tables.ablation import ablation_tables

        return ablation_tables(found, facts, reference)
    if layout == "cost":
        from ddbench.api.sets import made_of
        from ddbench.results.tables.cost import cost_tables

        return cost_tables(found, made_of([store], records))
    if layout == "published":
        from ddbench.results.published import load_published
        from ddbench.results.tables.published import beside_tables

        return beside_tables(found, load_published(), facts, margin / 100)
    return made


def wanted(store: Store) -> dict[Cell, str]:
    """The cells of all runs on a store, each with the key that the latest run gave it."""
    from ddbench.types import Cell

    return {Cell(**cell): key for run in store.runs() for cell, key in run["cells"]}


def make_blocks(
    store: Store, cells: Mapping[Cell, str], which: Select, read: Mapping[str, Record] | None = None
) -> list[Block]:
    """The main tables of ``cells`` from the records of a store; those in ``read``, by key, are not read again."""
    from ddbench.api.captions import facts_of
    from ddbench.results.statistics import estimate
    from ddbench.results.tables import blocks

    read = read or {}
    records = [*read.values(), *store.records(set(cells.values()) - set(read), say)]
    return blocks(estimate(cells, records, which), which, facts_of(records))


def say(message: str) -> None:
    """Tell it on stderr."""
    click.echo(f"bench: {message}", err=True)
