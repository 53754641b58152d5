"""``bench run``: configuration -> plan -> stages -> records -> table."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli.options import integers, names
from benchmark.cli.table import store_option
from benchmark.errors import BenchError

if TYPE_CHECKING:
    from benchmark.config import Config
    from benchmark.execute.backend import Backend
    from benchmark.execute.walk import Summary
    from benchmark.plan import Plan
    from benchmark.store import Store

RAY_PAYS_FROM = 8
"""stages; starting Ray and a torch in each worker takes about ten seconds"""


@click.command()
@click.option(
    "--config", default="digits", show_default=True, help="A named study (`bench list configs`) or a YAML file."
)
@click.option("--datasets", multiple=True, help="Lists take commas and repeats; what is not given is the config's.")
@click.option("--methods", multiple=True)
@click.option("--ipc", multiple=True, help="Images per class, e.g. 1,10.")
@click.option("--archs", multiple=True)
@click.option("--seeds", multiple=True, help="Seeds of distilled sets, e.g. 0,1,2 or 0-2.")
@click.option("--eval-seeds", multiple=True, help="Seeds of classifiers, crossed with --seeds.")
@click.option("--protocol", help="How distilled sets are judged (`bench list protocols`).")
@store_option
@click.option(
    "--executor",
    type=click.Choice(["auto", "inline", "ray"]),
    default="auto",
    show_default=True,
    help="inline: one stage at a time in this process; ray: side by side on all cores; auto: ray where it pays.",
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any key of the configuration, dotted.")
@click.option("--dry-run", is_flag=True, help="Print the cells and the stages they need; run nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def run(
    config: str,
    datasets: tuple[str, ...],
    methods: tuple[str, ...],
    ipc: tuple[str, ...],
    archs: tuple[str, ...],
    seeds: tuple[str, ...],
    eval_seeds: tuple[str, ...],
    protocol: str | None,
    store: Path,
    executor: str,
    assignments: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    debug: bool,
) -> int:
    """Run a study and print its table. The same command again runs only what is missing."""
    from benchmark.config import load_config
    from benchmark.plan import make_plan
    from benchmark.study import resolve

    options = {
        "grid.datasets": names(datasets),
        "grid.methods": names(methods),
        "grid.ipc": integers("--ipc", ipc),
        "grid.archs": names(archs),
        "grid.seeds": integers("--seeds", seeds, ranges=True),
        "grid.eval_seeds": integers("--eval-seeds", eval_seeds, ranges=True),
        "grid.protocol": protocol,
    }
    changes = {key: value for key, value in options.items() if value is not None}
    configuration = load_config(config, changes, assignments)
    plan = make_plan(resolve(configuration))
    if dry_run:
        _print_plan(plan, store, as_json)
        return 0
    with _stdout_kept() as stdout:
        return _execute(configuration, plan, store, executor, as_json, debug, stdout)


def _execute(
    configuration: Config, plan: Plan, folder: Path, executor: str, as_json: bool, debug: bool, stdout: Any
) -> int:
    from benchmark.cli.pictures import draw
    from benchmark.cli.progress import make_watcher
    from benchmark.cli.show import print_tables
    from benchmark.cli.table import make_blocks
    from benchmark.execute.walk import to_run, walk
    from benchmark.store import Store
    from results.tables import rows

    _check_device(configuration.device)
    store = Store.open(folder, create=True)
    store.write_run(
        {
            "name": configuration.name,
            "config": configuration.model_dump(mode="json"),
            "cells": [[vars(cell), key] for cell, key in plan.cells.items()],
        }
    )
    with make_watcher(debug, store.how_far) as watcher:
        missing = to_run(plan, store, watcher)
        backend = _backend(executor, store, len(missing))
        try:
            summary = walk(plan, store, missing, backend, watcher)
        finally:
            backend.close()
    tables = make_blocks(store, plan.cells, "last")
    pictures = draw(plan, store)
    if as_json:
        document = {
            "cells": summary.cells,
            "stages": summary.stages,
            "store": str(store.root),
            "table": rows(tables),
            "failures": [{"stage": stage.label, "kind": stage.kind, "reason": why} for stage, why in summary.failures],
        }
        print(json.dumps(document, indent=1), file=stdout)
    else:
        print_tables(tables, stdout)
    stdout.flush()
    _conclude(summary, store, pictures)
    return 1 if summary.cells["failed"] else 0


def _check_device(device: str) -> None:
    """Raises BenchError when the configuration asks for a GPU that is not there."""
    if device != "cuda":
        return
    import torch

    if not torch.cuda.is_available():
        raise BenchError("the configuration says device: cuda and torch sees no GPU. Use --set device=cpu")


def _backend(executor: str, store: Store, stages: int) -> Backend:
    if executor == "ray" or (executor == "auto" and pays(stages)):
        from benchmark.execute.on_ray import OnRay

        return OnRay(str(store.root))
    from benchmark.execute.inline import Inline

    return Inline(str(store.root))


def pays(stages: int) -> bool:
    """Whether Ray pays: there are several processors, and enough stages to make up for its start."""
    return stages >= RAY_PAYS_FROM and len(os.sched_getaffinity(0)) > 1


def _print_plan(plan: Plan, folder: Path, as_json: bool) -> None:
    from benchmark.execute.walk import to_run
    from benchmark.store import Store

    planned = plan.counts()
    pending = dict(planned)
    if (folder / "store.json").exists():
        waiting = to_run(plan, Store.open(folder, create=False))
        pending = {kind: sum(stage.kind == kind for stage in waiting.values()) for kind in planned}
    stages = {kind: {"planned": planned[kind], "to_run": pending[kind]} for kind in planned}
    if as_json:
        cells = [vars(cell) for cell in plan.cells]
        click.echo(json.dumps({"cells": cells, "stages": stages, "store": str(folder.absolute())}, indent=1))
        return
    for cell in plan.cells:
        click.echo(str(cell))
    click.echo(f"\n{len(plan.cells)} cells")
    for kind, count in stages.items():
        click.echo(f"{kind:9} {count['planned']:6} stages, {count['to_run']} to run")


def _conclude(summary: Summary, store: Store, pictures: Path | None) -> None:
    cells = summary.cells
    print(
        f"\n{cells['total']} cells: {cells['ok']} made, {cells['cached']} already there, {cells['failed']} failed. "
        f"Store: {store.root}",
        file=sys.stderr,
    )
    if pictures:
        print(f"Distilled images: {pictures}", file=sys.stderr)
    for stage, reason in summary.failures:
        print(f"failed: {stage.kind} {stage.label}: {reason}", file=sys.stderr)
    if summary.failures:
        print("The same command tries the failed cells again.", file=sys.stderr)


@contextmanager
def _stdout_kept() -> Iterator[Any]:
    """The real stdout for results; everything that libraries print to theirs meanwhile goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(kept, "w", closefd=False) as stdout:
            yield stdout
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
