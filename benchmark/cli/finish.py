"""The output at the end of ``run`` and ``evaluate``: the table, then a summary and the failures."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, TextIO

from ddbench.wording import counted

if TYPE_CHECKING:
    from ddbench.api.run import Finished
    from ddbench.plan.graph import Plan


def finish(done: Finished, plan: Plan, as_json: bool, stdout: TextIO) -> int:
    """Print the table of the cells of ``plan``, or one JSON document, to ``stdout``; returns the exit code."""
    from ddbench.api.stores import Stores
    from ddbench.api.tables import make_tables
    from ddbench.cli.options import say
    from ddbench.cli.show import print_tables
    from ddbench.results.tables import rows

    summary, store = done.summary, done.store
    fresh = set(plan.cells.values()) - set(done.cached)
    records = [*done.cached.values(), *store.records(fresh, say)]
    tables = make_tables("main", Stores.of_store(store, plan.cells, say), plan.cells, records).tables
    if as_json:
        document = {
            "cells": summary.cells,
            "stages": summary.stages,
            "store": store.address,
            "table": rows(tables),
            "failures": [{"stage": stage.label, "kind": stage.kind, "reason": why} for stage, why in summary.failures],
            "changed_state": [
                {"stage": stage.label, "kind": stage.kind, "changes": list(changes)}
                for stage, changes in summary.changed
            ],
        }
        print(json.dumps(document, indent=1), file=stdout)
    else:
        print_tables(tables, stdout)
    stdout.flush()
    _conclude(done)
    return 1 if summary.cells["failed"] else 0


def _conclude(done: Finished) -> None:
    cells, failures = done.summary.cells, done.summary.failures
    skipped = f", {cells['skipped']} skipped" if cells["skipped"] else ""
    print(
        f"\n{counted(cells['total'], 'cell')}: {cells['ok']} made, {cells['cached']} already there, "
        f"{cells['failed']} failed{skipped}. Store: {done.store.address}",
        file=sys.stderr,
    )
    if done.pictures:
        print(f"Distilled images: {done.pictures}", file=sys.stderr)
    if changed := done.summary.changed:
        whose = f"{len(changed)} stage{'s' if len(changed) > 1 else ''}"
        print(
            f"{whose} changed the state of the process, which was put back: the records say in what (`bench show`).",
            file=sys.stderr,
        )
    for stage, reason in failures:
        print(f"failed: {stage.kind} {stage.label}: {reason}", file=sys.stderr)
    if failures:
        print("The same command tries the failed cells again.", file=sys.stderr)
