"""``bench run``: configuration -> plan -> stages -> records -> table."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.options import integers, names
from benchmark.cli.table import DEFAULT_STORE

if TYPE_CHECKING:
    from benchmark.config import Config
    from benchmark.execute.backend import Backend
    from benchmark.execute.walk import Summary
    from benchmark.plan import Plan
    from benchmark.store import Store

RAY_PAYS_FROM = 8
"""stages; starting Ray and a torch in each worker takes about ten seconds"""


class Executor(str, Enum):  # noqa: UP042 (typer shows the values)
    auto = "auto"
    inline = "inline"
    ray = "ray"


Names = Annotated[list[str] | None, typer.Option(help="Commas or repeats.", show_default="from the config")]


def run(
    config: Annotated[str, typer.Option(help="A named study (`bench list configs`) or a YAML file.")] = "digits",
    datasets: Names = None,
    methods: Names = None,
    ipc: Annotated[list[str] | None, typer.Option(help="Images per class, e.g. 1,10.", show_default="from the config")] = None,
    archs: Names = None,
    seeds: Annotated[
        list[str] | None, typer.Option(help="Seeds of distilled sets, e.g. 0-2.", show_default="from the config")
    ] = None,
    eval_seeds: Annotated[
        list[str] | None, typer.Option(help="Seeds of classifiers, crossed with --seeds.", show_default="from the config")
    ] = None,
    protocol: Annotated[str | None, typer.Option(help="Evaluation protocol.", show_default="from the config")] = None,
    store: Annotated[Path, typer.Option(help="Where artifacts and records are kept.")] = DEFAULT_STORE,
    executor: Annotated[
        Executor, typer.Option(help="inline: one stage at a time here; ray: one a core; auto: ray where it pays.")
    ] = Executor.auto,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any key of the configuration, dotted.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print cells and stages, run nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks of errors and failed stages.")] = False,
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
    configuration = load_config(config, changes, set_ or [])
    plan = make_plan(resolve(configuration))
    if dry_run:
        _print_plan(plan, store, as_json)
        return 0
    with _stdout_kept() as stdout:
        return _execute(configuration, plan, store, executor, as_json, debug, stdout)


def _execute(
    configuration: Config, plan: Plan, folder: Path, executor: Executor, as_json: bool, debug: bool, stdout: Any
) -> int:
    from benchmark.cli.pictures import draw
    from benchmark.cli.progress import make_watcher
    from benchmark.cli.show import print_tables
    from benchmark.cli.table import make_blocks
    from benchmark.execute.walk import to_run, walk
    from benchmark.store import Store
    from results.tables import rows

    store = Store.open(folder, create=True)
    store.write_run(
        {
            "name": configuration.name,
            "config": configuration.model_dump(mode="json"),
            "cells": [[vars(cell), key] for cell, key in plan.cells.items()],
        }
    )
    with make_watcher(debug) as watcher:
        backend = _backend(executor, store, len(to_run(plan, store, watcher)))
        try:
            summary = walk(plan, store, backend, watcher)
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
    _conclude(summary, store, pictures)
    return 1 if summary.cells["failed"] else 0


def _backend(executor: Executor, store: Store, stages: int) -> Backend:
    """Ray where it pays: several processors and enough stages to make up for its start."""
    if executor is Executor.ray or (
        executor is Executor.auto and stages >= RAY_PAYS_FROM and len(os.sched_getaffinity(0)) > 1
    ):
        from benchmark.execute.on_ray import OnRay

        return OnRay(str(store.root))
    from benchmark.execute.inline import Inline

    return Inline(str(store.root))


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
        typer.echo(json.dumps({"cells": cells, "stages": stages, "store": str(folder.absolute())}, indent=1))
        return
    for cell in plan.cells:
        typer.echo(str(cell))
    typer.echo(f"\n{len(plan.cells)} cells")
    for kind, count in stages.items():
        typer.echo(f"{kind:9} {count['planned']:6} stages, {count['to_run']} to run")


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
