"""``bench plot``: draws a figure of a study to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.api.choices import PLOT_WIDTHS, PLOTTED, Plotted, PlotWidth
from ddbench.cli.choice import Choice
from ddbench.cli.options import filter_options, filters_of, loaded_plugin_option, say, select_option, stores_options

if TYPE_CHECKING:
    from ddbench.results.statistics import Select


@click.command()
@click.argument("kind", type=Choice(PLOTTED, "figure"))
@stores_options
@loaded_plugin_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A png, pdf or svg file.")
@click.option(
    "--width",
    type=Choice(PLOT_WIDTHS, "width"),
    default="natural",
    show_default=True,
    help="natural: for a screen; column or page: as wide as a column (3.25 in) or the page (6.875 in) of a paper.",
)
@click.option("--tsne", is_flag=True, help="Of the projection: t-SNE instead of the first two principal components.")
@filter_options
@select_option
def plot(
    kind: Plotted,
    stores: tuple[Path | str, ...],
    out: Path,
    width: PlotWidth,
    tsne: bool,
    which: Select,
    **filters: tuple[str, ...],
) -> None:
    """Draw accuracy by epoch (curves), against images per class (ipc) or cost, or distilled among real images.

    A panel for each dataset, network and IPC. Incomplete methods are left out and named on stderr. STORE defaults to
    bench-store; several are read as one.
    """
    from ddbench.api.files import check_format
    from ddbench.api.plots import make_plot
    from ddbench.api.selection import select
    from ddbench.api.stores import Stores
    from ddbench.cli.streams import stdout_kept

    check_format(out)
    opened = Stores(stores, say)
    with stdout_kept():
        make_plot(kind, opened, select(opened.wanted, filters_of(filters)), which, width, tsne).save(out)
    click.echo(str(out))
