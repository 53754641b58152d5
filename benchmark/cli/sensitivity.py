"""``bench sensitivity``: draws the plot of a search."""

from __future__ import annotations

from pathlib import Path

import click

from ddbench.cli.options import store_option


@click.command()
@click.argument("tune", required=False)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A png, pdf or svg file.")
@store_option
def sensitivity(tune: str | None, out: Path, store: Path | str) -> None:
    """Draw how validation accuracy depends on each parameter that the search TUNE (id or file; the latest) varied.

    With `bench tune --search one-at-a-time` this is the usual sensitivity curve: each parameter with the others at the
    study's values.
    """
    from ddbench.api.sensitivity import draw_sensitivity

    draw_sensitivity(store, tune, out)
    click.echo(str(out))
