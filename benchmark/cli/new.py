"""``bench new``: writes a new plug-in from a template."""

from __future__ import annotations

from pathlib import Path

import click

from ddbench.plugins.scaffold.write import KINDS, usage, write_plugin


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    show_default=True,
    help="Folder that the files go to.",
)
def new(kind: str, name: str, out: Path) -> None:
    """Write NAME.py, a test and a page for a new KIND: a working example to replace by your own code."""
    for path in write_plugin(kind, name, out):  # type: ignore[arg-type]
        click.echo(str(path))
    check, command = usage(kind, name)  # type: ignore[arg-type]
    click.echo(f"\nTry:  {check}\n      {command}", err=True)
