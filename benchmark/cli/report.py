"""``bench report``: a study as one HTML file that opens anywhere, offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.cli.table import DEFAULT_STORE, StoreType, say, select_option

if TYPE_CHECKING:
    from results.statistics import Select


@click.command()
@click.argument("stores", nargs=-1, type=StoreType(path_type=Path, file_okay=False), metavar="[STORE]...")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("report.html"), show_default=True)
@select_option
def report(stores: tuple[Path | str, ...], out: Path, which: Select) -> None:
    """Write one HTML file with the tables, charts, pictures, failures and provenance of a study.

    It holds all that it shows and loads nothing. STORE is bench-store when none is named; several are read as one.
    The same records give the same bytes.
    """
    from benchmark.cli.facts import facts_of
    from benchmark.cli.made import made_of
    from benchmark.cli.material import galleries, runs, searches, shift_blocks
    from benchmark.cli.several import Several
    from benchmark.cli.streams import stdout_kept
    from benchmark.errors import BenchError
    from benchmark.store import write_atomically
    from results.report.material import Material
    from results.report.page import render

    opened = Several(stores or (Path(DEFAULT_STORE),), say)
    records = opened.records(opened.wanted)
    with stdout_kept():
        shift, notes = shift_blocks(opened)
        material = Material(
            wanted=opened.wanted,
            records=records,
            runs=runs(opened),
            galleries=galleries(opened, opened.wanted, records),
            shift=shift,
            searches=searches(opened),
            notes=notes,
            select=which,
            facts=facts_of(records),
            made=made_of(opened.members, records),
        )
        page = render(material).encode()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, page)
    except OSError as error:
        raise BenchError(f"cannot write {out}: {error.strerror}. Name a writable file with --out.") from None
    click.echo(f"{out} ({len(page) / 1e6:.1f} MB)")
