"""What ``--dry-run`` prints: the cells and stages of a plan, and what is left of it to run."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.wording import counted

if TYPE_CHECKING:
    from ddbench.api.choices import Executor
    from ddbench.plan.graph import Plan


def print_plan(
    plan: Plan,
    waiting: Collection[str],
    store: Path | str,
    as_json: bool,
    *,
    lines: Sequence[str] = (),
    total: str = "",
    more: dict[str, Any] | None = None,
    executor: Executor = "auto",
) -> None:
    """Print the cells of a plan, its stages by kind, and their cost. ``waiting``: keys of those that the store lacks.

    Of a plan that is not of cells: ``lines`` in their place, ``total`` in place of their number, and ``more`` keys of
    the JSON document.
    """
    from ddbench.api.outline import cost_lines, recorded_costs
    from ddbench.api.run import processors_for

    planned = plan.counts()
    ahead = {key: stage for key, stage in plan.stages.items() if key in waiting}
    costs = cost_lines(plan, ahead, recorded_costs(store), processors_for(executor, len(ahead)))
    left = {kind: sum(stage.kind == kind for stage in ahead.values()) for kind in planned}
    stages = {kind: {"planned": planned[kind], "to_run": left[kind]} for kind in planned}
    if as_json:
        cells = [vars(cell) for cell in plan.cells]
        where = str(store.absolute()) if isinstance(store, Path) else store
        click.echo(
            json.dumps({"cells": cells, "stages": stages, "store": where, "costs": costs, **(more or {})}, indent=1)
        )
        return
    for line in lines or map(str, plan.cells):
        click.echo(line)
    click.echo(f"\n{total or counted(len(plan.cells), 'cell')}")
    for kind, count in stages.items():
        if count["planned"]:
            noun = "stage" if count["planned"] == 1 else "stages"
            click.echo(f"{kind:9} {count['planned']:6} {noun}, {count['to_run']} to run")
    for line in costs:
        click.echo(line)
