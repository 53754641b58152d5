"""``bench list``: what can be named in a study. Imports none of it."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated

import typer


class What(str, Enum):  # noqa: UP042 (typer shows the values)
    methods = "methods"
    datasets = "datasets"
    archs = "archs"
    protocols = "protocols"
    configs = "configs"


def list_(
    what: Annotated[What, typer.Argument(help="What to list.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """List the methods, datasets, archs, protocols or configs that are installed."""
    found = _configs() if what is What.configs else _entries(what)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("name", "what it is", "from"):
        table.add_column(column, header_style="bold", no_wrap=column == "name")
    for row in found:
        table.add_row(row["name"], row["summary"], row["origin"])
    Console(markup=False).print(table)


def _entries(what: What) -> list[dict[str, str]]:
    from benchmark.registry import entries

    kind = {"methods": "method", "datasets": "dataset", "archs": "network", "protocols": "protocol"}[what.value]
    return [
        {"name": e.name, "summary": e.summary(), "origin": e.origin, "reference": e.reference}
        for e in entries(kind).values()  # type: ignore[arg-type]
    ]


def _configs() -> list[dict[str, str]]:
    import yaml

    from benchmark.config import named_configs

    return [
        {
            "name": name,
            "summary": str(yaml.safe_load(path.read_text()).get("description", "")),
            "origin": "configs",
            "reference": path.name,
        }
        for name, path in named_configs().items()
    ]
