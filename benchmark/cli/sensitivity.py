"""``bench sensitivity``: draws the plot of a search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.cli.options import Points, store_option

if TYPE_CHECKING:
    from ddbench.results.tables import Spread


@click.command()
@click.argument("tune", required=False)
@click.option(
    "--out",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="A figure (png, pdf, svg) or its numbers (csv, json), by the ending of the file; repeatable.",
)
@click.option(
    "--interval",
    "spread",
    type=click.Choice(["sd", "ci"]),
    default="ci",
    show_default=True,
    help="What bars are: the 95 % t interval over distilled sets, or their standard deviation.",
)
@click.option(
    "--margin",
    type=Points(),
    default=2.0,
    show_default=True,
    metavar="POINTS",
    help="How near to the best, in percentage points, a value must be shown to be for the optimum to be flat there.",
)
@store_option
def sensitivity(tune: str | None, out: tuple[Path, ...], spread: Spread, margin: float, store: Path | str) -> None:
    """Draw how validation accuracy depends on each parameter that the search TUNE (id or file; the latest) varied.

    With `bench tune --search one-at-a-time` this is the usual sensitivity curve. A curve has the other parameters as in
    the best setting or, where no others were tried there, as in the study; the figure says which. Where a search tried
    the combinations of two parameters (`--search grid`), a map of them is drawn as well. Printed are, for each
    parameter, the values within which the optimum is flat.
    """
    from ddbench.api.sensitivity import sensitivity as of_search
    from ddbench.cli.streams import stdout_kept

    with stdout_kept():
        found = of_search(store, tune, out, spread, margin)
    for line in (*found.lines, *out):
        click.echo(str(line))
