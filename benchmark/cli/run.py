"""``bench run``: configuration -> plan -> stages -> records -> table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.api.run import execute
from ddbench.cli.options import names
from ddbench.cli.streams import stdout_kept
from ddbench.cli.study_options import configuration, grid_options, watcher_option
from ddbench.cli.table import store_option
from ddbench.errors import BenchError

if TYPE_CHECKING:
    from ddbench.plan.graph import Plan


@click.command()
@grid_options()
@store_option
@click.option(
    "--executor",
    type=click.Choice(["auto", "inline", "ray"]),
    default="auto",
    show_default=True,
    help="inline: one stage at a time in this process; ray: side by side on all cores; auto: ray where it pays.",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    help="Join a running Ray cluster, `auto` for the one of this machine. The store must be where all machines see it.",
)
@click.option("--shard", metavar="I/N", help="Run this part of N only, on a machine or store of its own.")
@watcher_option
@click.option("--dry-run", is_flag=True, help="Print the cells and the stages they need; run nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def run(
    store: Path,
    executor: str,
    ray_address: str | None,
    shard: str | None,
    watchers: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    debug: bool,
    **grid: Any,
) -> int:
    """Run a study and print its table. The same command again runs only what is missing."""
    from ddbench.config.study import resolve
    from ddbench.config.watchers import resolve_watchers
    from ddbench.plan.build import make_plan
    from ddbench.plan.shards import shard_of

    if ray_address and executor == "inline":
        raise BenchError("--executor inline runs in this process: leave out --ray-address, or use --executor ray.")
    config = configuration(store, **grid)
    study = resolve(config)
    told = resolve_watchers(names(watchers) or ())
    for reason in study.broken():
        click.echo(f"bench: {reason} Its cells will fail.", err=True)
    plan = make_plan(study)
    if shard:
        plan = shard_of(plan, shard)
    if dry_run:
        _print_plan(plan, store, as_json)
        return 0
    with stdout_kept() as stdout:
        return execute(config, plan, store, executor, as_json, debug, stdout, ray_address=ray_address, watchers=told)


def _print_plan(plan: Plan, folder: Path | str, as_json: bool) -> None:
    from ddbench.execute.schedule import to_run
    from ddbench.store.opening import open_store, store_exists

    planned = plan.counts()
    pending = dict(planned)
    if store_exists(folder):
        waiting = to_run(plan, open_store(folder, create=False))
        pending = {kind: sum(stage.kind == kind for stage in waiting.values()) for kind in planned}
    stages = {kind: {"planned": planned[kind], "to_run": pending[kind]} for kind in planned}
    if as_json:
        cells = [vars(cell) for cell in plan.cells]
        where = str(folder.absolute()) if isinstance(folder, Path) else folder
        click.echo(json.dumps({"cells": cells, "stages": stages, "store": where}, indent=1))
        return
    for cell in plan.cells:
        click.echo(str(cell))
    click.echo(f"\n{len(plan.cells)} cells")
    for kind, count in stages.items():
        if count["planned"]:
            click.echo(f"{kind:9} {count['planned']:6} stages, {count['to_run']} to run")
