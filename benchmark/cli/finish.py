"""The output at the end of ``run`` and ``evaluate``: the table, then a summary and the failures."""

from __future__ import annotations

import json
import shlex
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
    if not as_json:
        say_what_next(done, plan)
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


def say_what_next(done: Finished, plan: Plan) -> None:
    """The three commands that are most useful now: why a cell failed comes first, a comparison needs two methods."""
    from ddbench.api.stores import store_option
    from ddbench.paths import from_here

    files = next(iter(plan.stages.values())).plugins if plan.stages else ()
    plugins = "".join(f" --plugin {shlex.quote(from_here(file))}" for file in files)
    store = store_option(done.store.address)
    place = store.removeprefix(" --store")
    methods = list(dict.fromkeys(cell.method for cell in plan.cells if cell.ipc))
    commands = [(f"bench report{store}{plugins}", "everything as one page, report.html")]
    if done.summary.cells["failed"]:
        commands.insert(0, (f"bench status{store}", "the cells that failed, with their logs"))
    if len(methods) > 1:
        sides = f"--a {shlex.quote(f'method={methods[-1]}')} --b {shlex.quote(f'method={methods[0]}')}"
        commands.append((f"bench compare{place}{plugins} {sides}", "whether a difference is shown"))
    commands.append((f"bench table{store}{plugins} --layout spread", "intervals, and where the spread comes from"))
    commands.append((f"bench shift{store}{plugins}", "how far the sets are from the real images"))
    commands = commands[:3]
    width = max(len(command) for command, _ in commands)
    print("Next:", *(f"  {command:{width}}  {what}" for command, what in commands), sep="\n", file=sys.stderr)
