"""``bench status``: prints the status of the latest run on a store."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.cli.options import store_option
from ddbench.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from ddbench.execute.status import Status

PAUSE = 2.0
"""seconds between updates"""
MOST_FAILURES = 20
"""most failed cells that are listed; `--json` has all"""


@click.command()
@store_option
@click.option("--all", "whole", is_flag=True, help="The cells of all runs on the store, not of the latest alone.")
@click.option("--watch", is_flag=True, help="Look again every two seconds until nothing is left to do.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; with --watch, one a line.")
def status(store: Path | str, whole: bool, watch: bool, as_json: bool) -> None:
    """Show which cells are done, failed, running or waiting, the running stages, and the estimated time left.

    Everything is read from the store, during a run or after it. The estimate is by stages of the same sort that the
    store has measured.
    """
    from ddbench.errors import BenchError
    from ddbench.execute.history import History
    from ddbench.execute.status import plan_of, status_of
    from ddbench.store.leases import Leases
    from ddbench.store.opening import open_store

    opened = open_store(store, create=False)
    runs = opened.runs()
    if not runs:
        raise BenchError(f"nothing has been run on the store {opened.address} yet; --store DIR names another.")
    chosen = runs if whole else runs[-1:]
    plan, planned = plan_of(chosen)
    name = ", ".join(dict.fromkeys(run["name"] for run in chosen))
    history, leases = History(opened), Leases(opened)

    def now() -> Status:
        history.update()
        return status_of(plan, planned, opened, leases.holder, history)

    try:
        if watch:
            _watch(now, name, as_json)
        elif as_json:
            click.echo(json.dumps({"run": name, **now().to_json()}, indent=1))
        else:
            click.echo(render(now(), name), nl=False)
    finally:
        leases.close()


def _watch(now: Callable[[], Status], name: str, as_json: bool) -> None:
    """Show the status repeatedly, in place on a terminal, until no cell is running or waiting, or Ctrl-C."""
    if as_json or not sys.stdout.isatty():
        while True:
            status = now()
            click.echo(json.dumps({"run": name, **status.to_json()}) if as_json else render(status, name))
            if _ended(status):
                return
            time.sleep(PAUSE)
    from rich.live import Live
    from rich.text import Text

    try:
        with Live(Text(render(status := now(), name)), auto_refresh=False) as live:
            while not _ended(status):
                time.sleep(PAUSE)
                status = now()
                live.update(Text(render(status, name)), refresh=True)
    except KeyboardInterrupt:
        return


def _ended(status: Status) -> bool:
    return not status.counts["running"] and not status.counts["waiting"]


def render(status: Status, name: str) -> str:
    """The status as text."""
    states = ", ".join(f"{n} {state}" for state, n in status.counts.items())
    lines = [f"{name}: {counted(len(status.cells), 'cell')}: {states}"]
    for stage in status.under_way:
        share = f", {stage.share:.0%} done" if stage.share is not None else ""
        lines.append(f"under way: {stage.kind} {stage.label} ({stage.holder}){share}")
    failed = [cell for cell in status.cells if cell.state == "failed"]
    for cell in failed[:MOST_FAILURES]:
        log = f"; log: {cell.log}" if cell.log else ""
        lines.append(f"{cell.outcome}: {cell.cell}: {cell.reason}{log}")
    if len(failed) > MOST_FAILURES:
        lines.append(f"... and {counted(len(failed) - MOST_FAILURES, 'more failed cell')}; --json shows all.")
    lines.append(_left(status))
    return "\n".join(lines) + "\n"


def _left(status: Status) -> str:
    remaining = status.remaining
    if remaining is None:
        return "left: unknown, since code, plug-ins or data have changed after the run was planned"
    if not remaining.stages:
        return "left: nothing"
    work = counted(remaining.stages, "stage")
    if status.left is None:
        return f"left: {work}, time unknown: no stage of their sort has been measured in this store"
    bound = "at least " if remaining.unknown else "about "
    note = f" ({counted(remaining.unknown, 'stage')} of unknown cost)" if remaining.unknown else ""
    side = f"{len(status.under_way)} side by side" if status.under_way else "one after another; nothing is under way"
    return f"left: {work}, {bound}{_clock(status.left)}{note}, {side}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
