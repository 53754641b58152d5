"""``bench report``: writes a study as one HTML file that opens offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.cli.options import loaded_plugin_option, say, select_option, stores_options

if TYPE_CHECKING:
    from ddbench.results.statistics import Select


@click.command()
@stores_options
@loaded_plugin_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("report.html"), show_default=True)
@select_option
def report(stores: tuple[Path | str, ...], out: Path, which: Select) -> None:
    """Write one HTML file with the tables, charts, pictures, failures and provenance of a study.

    The file is self-contained. STORE defaults to bench-store; several are read as one. The same records give the same
    bytes.
    """
    from ddbench.api.results import Results
    from ddbench.api.stores import Stores
    from ddbench.cli.streams import stdout_kept

    with stdout_kept():
        path = Results(Stores(stores, say)).report(out, which)
    click.echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
