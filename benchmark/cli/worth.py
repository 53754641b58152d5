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

if TYPE_CHECKING:
    from ddbench.api.choices import Executor
    from ddbench.results.statistics import Select


@click.command()
@grid_options()
@click.option(
    "--factors",
    multiple=True,
    help="Sizes of the plain sets, as multiples of each IPC: two at least.  [default: 1,2,5,10,20,50,100]",
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
    from ddbench.api.run import waiting
    from ddbench.api.worth import FACTORS, count, counting
    from ddbench.cli.show import check_output, write_tables
    from ddbench.cli.streams import stdout_kept

    check_output(form, out)
    how = execution_of(executor, ray_address, watchers, debug)
    counted = counting(configuration_of(store, **grid), integers("--factors", factors) or FACTORS)
    if dry_run:
        from ddbench.cli.dry_run import print_plan

        plan = counted.plan()
        print_plan(plan, waiting(plan, store), store, form == "json")
        return 0
    with stdout_kept():
        tables = count(counted, store, how, which, say, tell)
    write_tables(tables.tables, form, out)
    return 1 if tables.failed else 0
