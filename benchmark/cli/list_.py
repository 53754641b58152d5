"""``bench list``: lists what can be named in a study."""

from __future__ import annotations

import json

import click

from ddbench.api.lists import LISTS, listed
from ddbench.cli.choice import Choice
from ddbench.cli.options import say
from ddbench.plugins.registry import ALSO, KINDS, kind_named
from ddbench.plugins.silent import silent_hint

OTHERWISE: dict[str, str] = {kind: f"{kind}s" for kind in KINDS} | {"config": "configs"}
OTHERWISE |= {f"{word}{end}": f"{kind}s" for word, kind in ALSO.items() for end in ("", "s")}
"""other words for what is listed"""


@click.command("list")
@click.argument("what", type=Choice(LISTS, "list", also=OTHERWISE))
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A Python file that registers more.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def list_(what: str, plugins: tuple[str, ...], as_json: bool) -> None:
    """List what is installed and can be named in a study."""
    if plugins:
        from ddbench.plugins.files import absolute, load_plugins

        load_plugins(files := absolute(plugins))
        if hint := silent_hint(kind_named(what) or "method", "NAME", files):
            say(hint)
    rows = listed(what)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    columns = {"name": "name", "what it is": "summary", "from": "origin"}
    if len({row["origin"] for row in rows}) < 2:
        del columns["from"]
    for title in columns:
        table.add_column(title, header_style="bold", no_wrap=title == "name")
    for row in rows:
        table.add_row(*(row[name] for name in columns.values()))
    Console(markup=False).print(table)
