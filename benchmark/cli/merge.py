"""``bench merge``: merges stores."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ddbench.cli.options import StoreType
from ddbench.wording import counted


@click.command()
@click.argument("destination", metavar="DEST", type=StoreType(path_type=Path, file_okay=False))
@click.argument("sources", metavar="SRC...", nargs=-1, required=True, type=StoreType(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def merge(destination: Path | str, sources: tuple[Path | str, ...], as_json: bool) -> int:
    """Copy artifacts, records, runs and searches of the stores SRC that the store DEST lacks into it.

    DEST is created if it does not exist. Each may be a folder or a URL. Nothing is overwritten: conflicts are listed,
    DEST keeps its own version, and the exit code is 1.
    """
    from ddbench.store.merge import merge as merge_stores
    from ddbench.store.opening import open_store

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
