"""``bench plot``: one figure of a study as a file for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.api.selection import filter_options, select
from ddbench.cli.table import DEFAULT_STORE, StoreType, say, select_option
from ddbench.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ddbench.api.stores import Several
    from ddbench.results.plots.figures import Drawing
    from ddbench.results.plots.palette import Look
    from ddbench.results.statistics import Select
    from ddbench.types import Cell

KINDS = ("curves", "ipc", "cost", "projection")
FORMATS = (".png", ".pdf", ".svg")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("stores", nargs=-1, type=StoreType(path_type=Path, file_okay=False), metavar="[STORE]...")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A png, pdf or svg file.")
@filter_options
@select_option
def plot(kind: str, stores: tuple[Path | str, ...], out: Path, which: Select, **filters: tuple[str, ...]) -> None:
    """Draw accuracy by epoch (curves), against images per class (ipc) or cost, or distilled among real images.

    A panel for each dataset, network and IPC. What is incomplete is left out, and said so. STORE is bench-store when
    none is named; several are read as one.
    """
    from ddbench.api.stores import Several
    from ddbench.cli.streams import stdout_kept
    from ddbench.results.plots.canvas import drawing, save
    from ddbench.results.plots.figures import looks_of, together

    if out.suffix.lower() not in FORMATS:
        raise BenchError(f"--out {out} must end in {', '.join(FORMATS)}: its ending is the format.")

    opened = Several(stores or (Path(DEFAULT_STORE),), say)
    looks = looks_of(opened.wanted)  # before the selection: colours are those of the report
    cells = select(opened.wanted, filters)
    with stdout_kept(), drawing():
        parts = _parts(kind, opened, cells, which, looks)
        if not parts:
            raise BenchError(f"there is nothing complete to plot as {kind}. `bench table` shows what is there.")
        for part in parts:
            if part.left_out:
                say(f"{part.title}: left out, because incomplete: {', '.join(part.left_out)}")
        try:
            save(together(parts, columns=4 if kind == "projection" else 2), out)
        except OSError as error:
            raise BenchError(f"cannot write {out}: {error.strerror}. Name a writable file with --out.") from None
    click.echo(str(out))


def _parts(
    kind: str, stores: Several, cells: Mapping[Cell, str], which: Select, looks: Mapping[str, Look]
) -> list[Drawing]:
    from ddbench.api.report import galleries
    from ddbench.api.sets import made_of
    from ddbench.results.plots.figures import drawings, projections
    from ddbench.results.plots.projection import project

    records = stores.records(stores.wanted)
    if kind != "projection":
        made = made_of(stores.members, records) if kind == "cost" else {}
        return drawings(kind, cells, records, which, looks, made)
    parts, found = [], galleries(stores, cells, records)
    for gallery in found:
        if gallery.real is not None:
            where = f", {gallery.dataset}, IPC {gallery.ipc}" if len(found) > 1 else ""
            features = gallery.space.features if gallery.space else None
            parts += projections(project(gallery.real, gallery.sets, features), looks, where)
    return parts
