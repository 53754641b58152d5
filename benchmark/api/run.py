"""Carrying out a plan in a store, and saying how it went: what ``run`` and ``evaluate`` share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.errors import BenchError

if TYPE_CHECKING:
    from ddbench.config.schema import Config
    from ddbench.execute.backend import Backend
    from ddbench.execute.demand import Demand
    from ddbench.execute.schedule import Summary
    from ddbench.plan.graph import Plan
    from ddbench.store.folder import Store
    from ddbench.types import Watcher

RAY_PAYS_FROM = 8
"""stages; starting Ray and a torch in each worker takes about ten seconds"""


def execute(
    configuration: Config,
    plan: Plan,
    folder: Path | str,
    executor: str,
    as_json: bool,
    debug: bool,
    stdout: Any,
    prepare: Callable[[Store], None] = lambda _: None,
    ray_address: str | None = None,
    watchers: Sequence[Watcher] = (),
) -> int:
    """Run what is missing of ``plan`` in the store ``folder`` and print its table; the exit code.

    ``prepare`` puts what the plan takes as given into the store; ``watchers`` are told of the run. Raises
    KeyboardInterrupt after a stop was asked for.
    """
    from ddbench.api.progress import make_display
    from ddbench.cli.show import print_tables
    from ddbench.cli.table import make_blocks
    from ddbench.execute.demand import Demand, recorded_peaks
    from ddbench.execute.interrupt import stop_on_signals
    from ddbench.execute.policy import Policy
    from ddbench.execute.schedule import survey, walk
    from ddbench.execute.watched import Watched, run_start
    from ddbench.results.tables import rows
    from ddbench.store.opening import open_store

    _check_device(configuration.device)
    store = open_store(folder, create=True)
    store.write_run(
        {
            "name": configuration.name,
            "config": configuration.model_dump(mode="json"),
            "cells": [[vars(cell), key] for cell, key in plan.cells.items()],
        }
    )
    prepare(store)
    with make_display(debug, store.how_far) as display:
        observer = Watched(display, watchers, run_start(configuration, plan, store), debug)
        found = survey(plan, store, observer)
        missing = found.missing
        demand = Demand(configuration.resources, recorded_peaks(store, {stage.kind for stage in missing.values()}))
        backend = make_backend(executor, store, len(missing), demand, ray_address)
        try:
            with stop_on_signals() as stop:
                summary = walk(plan, store, missing, backend, observer, Policy.of(configuration), stop)
        finally:
            backend.close()
    if stop.asked:
        raise KeyboardInterrupt
    tables = make_blocks(store, plan.cells, "last", found.done)
    pictures = _draw(plan, store)
    if as_json:
        document = {
            "cells": summary.cells,
            "stages": summary.stages,
            "store": store.address,
            "table": rows(tables),
            "failures": [{"stage": stage.label, "kind": stage.kind, "reason": why} for stage, why in summary.failures],
        }
        print(json.dumps(document, indent=1), file=stdout)
    else:
        print_tables(tables, stdout)
    stdout.flush()
    _conclude(summary, store, pictures)
    return 1 if summary.cells["failed"] else 0


def _draw(plan: Plan, store: Store) -> Path | None:
    from ddbench.api.pictures import draw

    try:
        return draw(plan, store)
    except OSError as error:  # a full disk: the table stands without them
        print(f"the pictures could not be drawn: {error}", file=sys.stderr)
        return None


def _check_device(device: str) -> None:
    """Raises BenchError when the configuration asks for a GPU that is not there."""
    if device != "cuda":
        return
    import torch

    if not torch.cuda.is_available():
        raise BenchError("the configuration says device: cuda and torch sees no GPU. Use --set device=cpu")


def make_backend(
    executor: str, store: Store, stages: int, demand: Demand | None = None, ray_address: str | None = None
) -> Backend:
    """The executor of that name; of ``auto``, the one that pays for so many stages. Raises BenchError."""
    if store.address.startswith("memory://"):
        if executor == "ray" or ray_address:
            raise BenchError("a store in memory:// is this process's own: use --executor inline, or another --store.")
        executor = "inline"
    if executor == "ray" or ray_address or (executor == "auto" and pays(stages)):
        from ddbench.execute.on_ray import OnRay

        return OnRay(store.address, demand, ray_address)
    from ddbench.execute.inline import Inline

    return Inline(store.address, demand)


def pays(stages: int) -> bool:
    """Whether Ray pays: there are several processors, and enough stages to make up for its start."""
    return stages >= RAY_PAYS_FROM and len(os.sched_getaffinity(0)) > 1


def _conclude(summary: Summary, store: Store, pictures: Path | None) -> None:
    cells = summary.cells
    skipped = f", {cells['skipped']} skipped" if cells["skipped"] else ""
    print(
        f"\n{cells['total']} cells: {cells['ok']} made, {cells['cached']} already there, "
        f"{cells['failed']} failed{skipped}. Store: {store.address}",
        file=sys.stderr,
    )
    if pictures:
        print(f"Distilled images: {pictures}", file=sys.stderr)
    for stage, reason in summary.failures:
        print(f"failed: {stage.kind} {stage.label}: {reason}", file=sys.stderr)
    if summary.failures:
        print("The same command tries the failed cells again.", file=sys.stderr)
