"""The output at the end of ``run`` and ``evaluate``: the table, then a summary and the failures."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, TextIO

from ddbench.wording import counted

if TYPE_CHECKING:
    from ddbench.api.run import Finished
    from ddbench.plan.graph import Plan
    from ddbench.types import Record


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
        say_what_next(done, plan, records)
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


def say_what_next(done: Finished, plan: Plan, records: Sequence[Record]) -> None:
    """The three commands that are most useful now, each on a line of its own where a terminal is too narrow for what it
    is for. Why a cell failed comes first; a comparison needs two methods, and it and a spread several sets."""
    from ddbench.api.stores import store_option
    from ddbench.paths import from_here

    files = next(iter(plan.stages.values())).plugins if plan.stages else ()
    plugins = "".join(f" --plugin {shlex.quote(from_here(file))}" for file in files)
    store = store_option(done.store.address)
    place = store.removeprefix(" --store")
    sets = defaultdict(set)
    for cell in plan.cells:
        if cell.ipc:
            sets[cell.method].add(cell.seed)
    several = [method for method, seeds in sets.items() if len(seeds) > 1]
    commands = [(f"bench report{store}{plugins}", "everything as one page, report.html")]
    if done.summary.cells["failed"]:
        commands.insert(0, (f"bench status{store}", "the cells that failed, with their logs"))
    if pair := _sides(several, records):
        a, b = (shlex.quote(f"method={method}") for method in pair)
        commands.append((f"bench compare{place}{plugins} --a {a} --b {b}", "whether a difference is shown"))
    if several:
        commands.append((f"bench table{store}{plugins} --layout spread", "intervals, and where the spread comes from"))
    commands.append((f"bench shift{store}{plugins}", "how far the sets are from the real images"))
    commands.append((f"bench table{store}{plugins} --layout cost", "seconds, memory and bytes of each row"))
    commands = commands[:3]
    width, columns = max(len(command) for command, _ in commands), shutil.get_terminal_size().columns
    wide = all(2 + width + 2 + len(what) <= columns for _, what in commands)
    lines = (f"  {command:{width}}  {what}" if wide else f"  {command}\n      {what}" for command, what in commands)
    print("Next:", *lines, sep="\n", file=sys.stderr)


def _sides(methods: Sequence[str], records: Sequence[Record]) -> tuple[str, str] | None:
    """The method that the best is told from, which is random or the next best, and the best of the methods by its mean
    over all cells: a comparison says what its second side has more. None where there are not two."""
    accuracies = defaultdict(list)
    for record in records:
        if record.outcome == "ok" and record.cell.method in methods:
            accuracies[record.cell.method].append(record.last)
    best = sorted(accuracies, key=lambda method: fmean(accuracies[method]), reverse=True)
    if len(best) < 2:
        return None
    return "random" if "random" in best[1:] else best[1], best[0]
