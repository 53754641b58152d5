"""``bench plan``: the stages and cells of a study, with estimates of their cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.cli.options import store_option
from ddbench.cli.study_options import configuration_of, grid_options
from ddbench.wording import counted

if TYPE_CHECKING:
    from ddbench.api.pricing import Price
    from ddbench.execute.history import History, MedianCost
    from ddbench.plan.graph import Plan, Stage


@dataclass
class Sort:
    """The stages of a plan that are expected to cost the same (``history.sort_of``)."""

    kind: str
    label: str
    """label of the first stage"""
    cost: MedianCost | None
    planned: int = 0
    keys: list[str] = field(default_factory=list)
    """keys of the stages to run"""

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "first": self.label,
            "planned": self.planned,
            "to_run": len(self.keys),
            "seconds_each": self.cost.seconds if self.cost else None,
            "peak_memory_mib": self.cost.memory_mib if self.cost else None,
            "measured_on": self.cost.stages if self.cost else 0,
        }


@click.command("plan")
@grid_options()
@click.option("--shard", metavar="I/N", help="This part of N only, as `bench run --shard` runs it.")
@store_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the whole plan to a JSON file.")
@click.option("--json", "as_json", is_flag=True, help="The same JSON document on stdout.")
def plan_(shard: str | None, store: Path | str, out: Path | None, as_json: bool, **grid: Any) -> None:
    """Plan a study without running it: its stages, and estimates of their cost by what the store has measured.

    Seconds and memory are medians over the store's stages of the same kind, dataset, classes of method, ipc, network
    and protocol; unknown when it has none. The file has every stage with its key and parents, and every cell.

    Stages on a GPU have their price in hours, by the store or by the rates in results/rates.csv, as configured and with
    each option of precision and compilation. Hours that are scaled from the rate of another size or of other options
    have a ~ and a line that says how. Work of which no rate is known is unknown.
    """
    from ddbench.config.study import resolve
    from ddbench.plan.build import make_plan
    from ddbench.plan.shards import shard_of

    if out:
        from ddbench.api.files import check_folder

        check_folder(out)
    config = configuration_of(store, **grid)
    plan = make_plan(resolve(config))
    if shard:
        plan = shard_of(plan, shard)
    history, waiting = _state(plan, store)
    sorts = _sorts(plan, waiting, history)
    prices = _prices(plan, waiting, history)
    costs = _costs(plan, waiting, history)
    document = {
        "name": config.name,
        "shard": shard,
        "sorts": [sort.to_json() for sort in sorts],
        "costs": costs,
        "gpu_hours": [price.to_json() for price in prices],
        "stages": [
            {"kind": s.kind, "key": s.key, "label": s.label, "parents": s.parents, "to_run": s.key in waiting}
            for s in plan.stages.values()
        ],
        "cells": [{**vars(cell), "key": key} for cell, key in plan.cells.items()],
    }
    if out:
        from ddbench.api.files import write_file

        write_file(out, json.dumps(document, indent=1).encode())
    if as_json:
        click.echo(json.dumps(document, indent=1))
    else:
        _print(plan, sorts, costs)
        _print_prices(prices)


def _state(plan: Plan, folder: Path | str) -> tuple[History | None, Mapping[str, Stage]]:
    """The history of the store and the stages to run in it. The store is neither created nor changed."""
    from ddbench.execute.history import History
    from ddbench.execute.schedule import to_run
    from ddbench.store.opening import open_store, store_exists

    if not store_exists(folder):
        return None, plan.stages
    opened = open_store(folder, create=False)
    history = History(opened)
    history.update()
    return history, to_run(plan, opened)


def _sorts(plan: Plan, waiting: Mapping[str, Stage], history: History | None) -> list[Sort]:
    from ddbench.execute.history import sort_of

    sorts: dict[str, Sort] = {}
    for stage in plan.stages.values():
        name = sort_of(stage.task)
        if name not in sorts:
            sorts[name] = Sort(stage.kind, stage.label, history.cost(stage) if history else None)
        sorts[name].planned += 1
        if stage.key in waiting:
            sorts[name].keys.append(stage.key)
    return list(sorts.values())


def _prices(plan: Plan, waiting: Mapping[str, Stage], history: History | None) -> list[Price]:
    from ddbench.api.pricing import built_in, price

    def measured(stage: Stage) -> float | None:
        cost = history.cost(stage) if history else None
        return cost.seconds if cost else None

    return price([stage for key, stage in plan.stages.items() if key in waiting], measured, built_in())


def _costs(plan: Plan, waiting: Mapping[str, Stage], history: History | None) -> list[str]:
    """The lines that a run begins with: its time, and what is at a paper's size."""
    from ddbench.api.outline import cost_lines
    from ddbench.api.run import processors_for

    def cost(stage: Stage) -> float | None:
        median = history.cost(stage) if history else None
        return median.seconds if median else None

    return cost_lines(plan, waiting, cost, processors_for("auto", len(waiting)))


def _print_prices(prices: list[Price]) -> None:
    """Hours of a card by work, as configured and with each option."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ddbench.api.pricing import built_in
    from ddbench.results.rates import OPTIONS

    if not prices:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("kind")
    table.add_column("work on the GPU", overflow="fold")
    table.add_column("stages", justify="right")
    for header in ("GPU h", *(_option(*way) for way in OPTIONS)):
        table.add_column(header, justify="right", no_wrap=True)
    for one in prices:
        others = [_hours(one.by_option.get(way)) if one.options else "" for way in OPTIONS]
        work = f"{one.work} ({_option(*one.options)})" if one.options else one.work
        hours = f"~{_hours(one.hours)}" if one.scaled else _hours(one.hours)
        table.add_row(*map(Text, (one.kind, work, str(one.stages), hours, *others)))
    click.echo("")
    Console(markup=False, highlight=False).print(table)
    unknown = sum(one.stages for one in prices if one.hours is None)
    known = sum(one.hours or 0.0 for one in prices)
    cards = sorted({f"{rate.card}, torch {rate.torch}, {rate.date}" for rate in built_in()})
    more = f"; {counted(unknown, 'stage')} with work of unknown rate on top" if unknown else ""
    estimated = sum(one.hours or 0.0 for one in prices if one.scaled)
    of_them = f", {estimated:.1f} of them scaled (~)" if estimated else ""
    click.echo("")
    for one in prices:
        if one.scaled:
            click.echo(f"~ {one.work}: {one.scaled.how}")
    click.echo(f"{known:.1f} GPU hours as configured{of_them}{more}. Rates: this store's, and {'; '.join(cards)}.")


def _option(precision: str, compilation: str) -> str:
    return precision if compilation == "none" else f"{precision}+{compilation}"


def _hours(hours: float | None) -> str:
    return "unknown" if hours is None else f"{hours:.2f}" if hours < 10 else f"{hours:.1f}"


def _print(plan: Plan, sorts: list[Sort], costs: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("kind")
    table.add_column("such as", overflow="fold")
    for header in ("planned", "to run", "s each", "s in all", "MiB"):
        table.add_column(header, justify="right", no_wrap=True)
    for sort in sorts:
        cost = sort.cost
        memory = cost.memory_mib if cost else None
        cells = (
            sort.kind,
            sort.label,
            str(sort.planned),
            str(len(sort.keys)),
            f"{cost.seconds:.1f}" if cost else "unknown",
            f"{cost.seconds * len(sort.keys):.0f}" if cost else "unknown" if sort.keys else "0",
            "unknown" if memory is None else f"{memory:.0f}",
        )
        table.add_row(*map(Text, cells))
    Console(markup=False, highlight=False).print(table)
    click.echo(f"\n{counted(len(plan.cells), 'cell')}, {counted(sum(len(s.keys) for s in sorts), 'stage')} to run")
    for line in costs:
        click.echo(line)
