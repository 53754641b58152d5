"""``bench shift``: measures how far distilled sets are from the real data, how diverse, and how near to copies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.cli.options import (
    dry_run_option,
    execution_of,
    execution_options,
    format_option,
    out_option,
    plugin_option,
    say,
    store_option,
)
from ddbench.wording import counted

if TYPE_CHECKING:
    from ddbench.api.choices import Executor


@click.command()
@store_option
@click.option(
    "--space",
    default="trained",
    show_default=True,
    help="Feature space: trained (on the train split), pixels, or MODULE:CLASS of a preparation of your own.",
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="An option of the space, dotted.")
@format_option
@dry_run_option
@execution_options
@plugin_option
@out_option
def shift(
    store: Path | str,
    space: str,
    assignments: tuple[str, ...],
    form: str | None,
    dry_run: bool,
    executor: Executor,
    ray_address: str | None,
    watchers: tuple[str, ...],
    debug: bool,
    plugins: tuple[str, ...],
    out: Path | None,
) -> int:
    """Measure the distribution shift of every distilled set that a run asked for, and print it.

    Measures are kept in the store. Exit code 1 when some of the sets have not been made or could not be measured.
    """
    from ddbench.api.shift import measure_shift
    from ddbench.cli.show import check_output, write_tables
    from ddbench.cli.streams import stdout_kept
    from ddbench.results.shift import shift_blocks
    from ddbench.results.tables.shift import shift_table

    if dry_run:
        from ddbench.api.shift import plan_of_shift
        from ddbench.cli.dry_run import print_plan

        planned, left = plan_of_shift(store, space, assignments, plugins)
        sets = [str(wanted) for wanted in planned.keys]
        total = counted(len(sets), "set")
        print_plan(planned.plan, left, store, form == "json", lines=sets, total=total, more={"sets": sets})
        for wanted, why in planned.absent.items():
            say(f"{wanted}: {why}")
        return 0
    check_output(form, out)
    with stdout_kept():
        measured = measure_shift(
            store, space, assignments, plugins, execution_of(executor, ray_address, watchers, debug)
        )
    write_tables([shift_table(block) for block in shift_blocks(measured)], form, out)
    absent = [m for m in measured if m.measures is None]
    for m in absent:
        say(f"{m.dataset}/{m.method}/ipc{m.ipc}/seed{m.seed}: {m.note}")
    return int(bool(absent))
