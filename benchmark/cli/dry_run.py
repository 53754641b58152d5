"""What ``--dry-run`` prints: the cells and stages of a plan, and what is left of it to run."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.wording import counted

if TYPE_CHECKING:
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
) -> None:
    """Print the cells of a plan, and its stages by kind. ``waiting``: keys of those that the store lacks.

    Of a plan that is not of cells: ``lines`` in their place, ``total`` in place of their number, and ``more`` keys of
    the JSON document.
    """
    planned = plan.counts()
    left = {kind: sum(stage.kind == kind for key, stage in plan.stages.items() if key in waiting) for kind in planned}
    stages = {kind: {"planned": planned[kind], "to_run": left[kind]} for kind in planned}
    if as_json:
        cells = [vars(cell) for cell in plan.cells]
        where = str(store.absolute()) if isinstance(store, Path) else store
        click.echo(json.dumps({"cells": cells, "stages": stages, "store": where, **(more or {})}, indent=1))
        return
    for line in lines or map(str, plan.cells):
        click.echo(line)
    click.echo(f"\n{total or counted(len(plan.cells), 'cell')}")
    for kind, count in stages.items():
        if count["planned"]:
            noun = "stage" if count["planned"] == 1 else "stages"
            click.echo(f"{kind:9} {count['planned']:6} {noun}, {count['to_run']} to run")
