"""``bench list``: what can be named in a study. Imports what others registered, to tell what is broken, and no more."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout

import click

KINDS = ("methods", "datasets", "archs", "protocols", "objectives", "guidances", "watchers", "configs")


@click.command("list")
@click.argument("what", type=click.Choice(KINDS))
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A Python file that registers more.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def list_(what: str, plugins: tuple[str, ...], as_json: bool) -> None:
    """List what is installed and can be named in a study."""
    if plugins:
        from ddbench.plugins.files import absolute, load_plugins

        load_plugins(absolute(plugins))
    found = _configs() if what == "configs" else _entries(what)
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("name", "what it is", "from"):
        table.add_column(column, header_style="bold", no_wrap=column == "name")
    for row in found:
        table.add_row(row["name"], row["summary"], row["origin"])
    Console(markup=False).print(table)


def _entries(what: str) -> list[dict[str, str]]:
    from ddbench.plugins.registry import KINDS, entries, trouble

    (kind,) = [kind for kind in KINDS if f"{kind}s" == what]
    rows = []
    for entry in entries(kind).values():
        with redirect_stdout(sys.stderr):  # whatever a stranger's module prints
            broken = trouble(entry)
        summary = f"BROKEN: {broken}" if broken else entry.summary()
        rows.append({"name": entry.name, "summary": summary, "origin": entry.origin, "reference": entry.reference})
    return rows


def _configs() -> list[dict[str, str]]:
    import yaml

    from ddbench.config.schema import named_configs

    return [
        {
            "name": name,
            "summary": str(yaml.safe_load(path.read_text()).get("description", "")),
            "origin": "configs",
            "reference": path.name,
        }
        for name, path in named_configs().items()
    ]
