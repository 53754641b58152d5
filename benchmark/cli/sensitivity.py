"""``bench sensitivity``: the picture of a search."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.cli.table import store_option
from ddbench.errors import BenchError

if TYPE_CHECKING:
    from ddbench.results.sensitivity import Setting
    from ddbench.tune.record import TrialRow, Tune

FORMATS = (".png", ".pdf", ".svg")


@click.command()
@click.argument("tune", required=False)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A png, pdf or svg file.")
@store_option
def sensitivity(tune: str | None, out: Path, store: Path | str) -> None:
    """Draw how validation accuracy depends on each parameter that the search TUNE (id or file; the latest) varied.

    With `bench tune --search one-at-a-time` this is the sensitivity curve of papers: each parameter with the others at
    the study's values.
    """
    from ddbench.results.sensitivity import Parameter, draw
    from ddbench.store.opening import open_store
    from ddbench.tune.record import find, latest

    if out.suffix.lower() not in FORMATS:
        raise BenchError(f"--out {out} must end in {', '.join(FORMATS)}: its ending is the format.")
    found = find(store, tune) if tune else latest(open_store(store, create=False))
    draw(
        out,
        f"{found.method} on {found.study}: {len(found.trials)} settings, {found.cells} cells of the validation part",
        [Parameter(key, key.partition(".")[2], text.startswith("log")) for key, text in found.space.items()],
        settings(found, found.trials),
    )
    click.echo(str(out))


def settings(tune: Tune, rows: Iterable[TrialRow]) -> list[Setting]:
    """``rows`` of a search as the plot takes them."""
    from ddbench.results.sensitivity import Setting

    chosen = tune.chosen
    return [
        Setting(
            values=row.values,
            varied=row.varied,
            top1=None if row.outcome == "failed" else row.top1,
            spread=row.spread,
            complete=row.outcome == "ok",
            chosen=row == chosen,
        )
        for row in rows
    ]
