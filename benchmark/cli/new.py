"""``bench new``: writes a new plug-in from a template."""

from __future__ import annotations

from pathlib import Path

import click

from ddbench.cli.choice import Choice
from ddbench.plugins.scaffold.write import KINDS, usage, write_plugin


@click.command()
@click.argument("kind", type=Choice(KINDS, "kind", {"arch": "network"}))
@click.argument("name")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    show_default=True,
    help="Folder that the files go to.",
)
def new(kind: str, name: str, out: Path) -> None:
    """Write a new KIND: NAME.py, a working example to replace by your own code, its test and its page.

    A kind that a paper may publish code for also gets NAME.card.yaml, which says item by item where it differs from
    that. A network is what --archs names.
    """
    for path in write_plugin(kind, name, out):  # type: ignore[arg-type]
        click.echo(str(path))
    check, command = usage(kind, name)  # type: ignore[arg-type]
    click.echo(f"\nTry:  {check}\n      {command}", err=True)
