"""``bench merge``: merges stores."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ddbench.cli.options import StoreType
from ddbench.errors import BenchError
from ddbench.wording import counted


@click.command()
@click.argument("stores", metavar="DEST SRC...", nargs=-1, type=StoreType(path_type=Path, file_okay=False))
@click.option(
    "--store",
    type=StoreType(path_type=Path, file_okay=False),
    metavar="DIR|URL",
    help="As DEST; all that is named besides is SRC.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def merge(stores: tuple[Path | str, ...], store: Path | str | None, as_json: bool) -> int:
    """Copy artifacts, records, runs and searches of the stores SRC that the store DEST lacks into it.

    DEST is created if it does not exist. Each may be a folder or a URL. Nothing is overwritten: conflicts are listed,
    DEST keeps its own version, and the exit code is 1.
    """
    from ddbench.store.merge import merge as merge_stores
    from ddbench.store.opening import open_store

    destination, *sources = (*([store] if store else []), *stores) or ("",)
    if not sources:
        raise BenchError("name the store to copy into and those to copy from. Example: bench merge all part1 part2")
    opened = [open_store(source, create=False) for source in sources]
    into = open_store(destination, create=True)
    report = merge_stores(into, opened)
    if as_json:
        document = {
            "store": into.address,
            "copied": report.copied,
            "conflicts": [vars(conflict) for conflict in report.conflicts],
            "damaged": report.damaged,
        }
        click.echo(json.dumps(document, indent=1))
    else:
        for conflict in report.conflicts:
            click.echo(f"conflict: {conflict}")
        for damaged in report.damaged:
            click.echo(f"damaged: {damaged}")
        counts = report.copied
        click.echo(
            f"{into.address}: {counted(counts['artifact'], 'artifact')}, {counted(counts['record'], 'record')}, "
            f"{counted(counts['runs'], 'run')} and {counted(counts['tunes'], 'search', 'searches')} copied; "
            f"{counted(len(report.conflicts), 'conflict')}, {len(report.damaged)} damaged"
        )
    return 1 if report.conflicts or report.damaged else 0
