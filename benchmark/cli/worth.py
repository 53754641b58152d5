"""``bench worth``: counts how many plain samples of its generative model a distilled set is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.cli.options import (
    dry_run_option,
    execution_of,
    execution_options,
    format_option,
    integers,
    out_option,
    say,
    select_option,
    store_option,
    tell,
)
from ddbench.cli.study_options import configuration_of, grid_options
from ddbench.errors import BenchError

if TYPE_CHECKING:
    from ddbench.api.choices import Executor
    from ddbench.results.statistics import Select


@click.command()
@grid_options()
@click.option(
    "--factors",
    multiple=True,
    help="Sizes of the plain sets, as multiples of each IPC.  [default: 1,2,5,10,20,50,100]",
)
@store_option
@execution_options
@select_option
@format_option
@dry_run_option
@out_option
def worth(
    factors: tuple[str, ...],
    store: Path | str,
    executor: Executor,
    ray_address: str | None,
    watchers: tuple[str, ...],
    which: Select,
    form: str | None,
    dry_run: bool,
    out: Path | None,
    debug: bool,
    **grid: Any,
) -> int:
    """Count what the sets of a study are worth in plain samples: "worth k x IPC unguided samples".

    Runs what is missing of the sets, of plain sets of the same models without guidance (up to 100 times as large), and
    of the whole train split, which three classifiers judge at least. Methods that sample no generative model are left
    out.
    """
    from ddbench.api.run import run_plan, waiting
    from ddbench.api.stores import Stores
    from ddbench.api.worth import FACTORS, counting, worth_table
    from ddbench.cli.show import check_output, write_tables
    from ddbench.cli.streams import stdout_kept
    from ddbench.plan.graph import Plan
    from ddbench.store.opening import open_store

    check_output(form, out)
    how = execution_of(executor, ray_address, watchers, debug)
    sizes = integers("--factors", factors) or FACTORS
    if 0 in sizes:
        raise BenchError("--factors 0: a set of no images is none. Example: --factors 1,2,5,10")
    counted = counting(configuration_of(store, **grid), sizes)
    plans = counted.plans()
    stages = {key: stage for _, plan in plans for key, stage in plan.stages.items()}
    cells = {cell: key for _, plan in plans for cell, key in plan.cells.items()}
    if dry_run:
        from ddbench.cli.dry_run import print_plan

        print_plan(Plan(stages, cells), waiting(Plan(stages, cells), store), store, form == "json")
        return 0
    failed = 0
    with stdout_kept():
        for config, plan in plans:
            failed += run_plan(config, plan, store, how, say=say, announce=tell).summary.cells["failed"]
    tables = worth_table(counted, Stores.of_store(open_store(store, create=False), cells, say), cells, which)
    write_tables(tables.tables, form, out)
    return 1 if failed else 0
