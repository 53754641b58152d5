"""``bench report``: a study as one HTML file that opens anywhere, offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.cli.table import DEFAULT_STORE, StoreType, say, select_option

if TYPE_CHECKING:
    from ddbench.results.statistics import Select


@click.command()
@click.argument("stores", nargs=-1, type=StoreType(path_type=Path, file_okay=False), metavar="[STORE]...")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("report.html"), show_default=True)
@select_option
def report(stores: tuple[Path | str, ...], out: Path, which: Select) -> None:
    """Write one HTML file with the tables, charts, pictures, failures and provenance of a study.

    It holds all that it shows and loads nothing. STORE is bench-store when none is named; several are read as one.
    The same records give the same bytes.
    """
    from ddbench.api.captions import facts_of
    from ddbench.api.report import galleries, runs, searches, shift_blocks
    from ddbench.api.sets import made_of
    from ddbench.api.stores import Several
    from ddbench.cli.streams import stdout_kept
    from ddbench.errors import BenchError
    from ddbench.results.report.content import Content
    from ddbench.results.report.page import render
    from ddbench.store.folder import write_atomically

    opened = Several(stores or (Path(DEFAULT_STORE),), say)
    records = opened.records(opened.wanted)
    with stdout_kept():
        shift, notes = shift_blocks(opened)
        content = Content(
            wanted=opened.wanted,
            records=records,
            runs=runs(opened),
            galleries=galleries(opened, opened.wanted, records),
            shift=shift,
            searches=searches(opened),
            notes=notes,
            select=which,
            facts=facts_of(records),
            sets=made_of(opened.members, records),
        )
        page = render(content).encode()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, page)
    except OSError as error:
        raise BenchError(f"cannot write {out}: {error.strerror}. Name a writable file with --out.") from None
    click.echo(f"{out} ({len(page) / 1e6:.1f} MB)")
