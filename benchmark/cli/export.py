"""``bench export``: writes distilled sets as folders of PNG files, with a card that says how each was made."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from ddbench.cli.completion import names_of
from ddbench.cli.options import integers, named, say, store_option
from ddbench.wording import counted


@click.command()
@store_option
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where the folders go.")
@click.option(
    "--datasets",
    multiple=True,
    shell_complete=names_of("dataset", many=True),
    help="Lists take commas and repeats; default: all.",
)
@click.option("--methods", multiple=True, shell_complete=names_of("method", many=True))
@click.option("--ipc", multiple=True, help="Images per class, e.g. 1,10.")
@click.option("--seeds", multiple=True, help="Seeds of distilled sets, e.g. 0,1,2 or 0-2.")
def export(
    store: Path,
    out: Path,
    datasets: tuple[str, ...],
    methods: tuple[str, ...],
    ipc: tuple[str, ...],
    seeds: tuple[str, ...],
) -> int:
    """Write the distilled sets of a store as PNG files that torchvision and Hugging Face datasets load.

    Each set that a run asked for, in its latest configuration, becomes OUT/DATASET/METHOD/ipcN-seedS. Existing
    folders are left as they are. Exit code 1 when some of the sets have not been made.
    """
    from ddbench.api.export import export_sets

    counts: Counter[str] = Counter()
    results = export_sets(
        store,
        out,
        datasets=named("--datasets", datasets),
        methods=named("--methods", methods),
        ipc=integers("--ipc", ipc),
        seeds=integers("--seeds", seeds, ranges=True),
        say=say,
    )
    for exported in results:
        counts[exported.outcome] += 1
        if exported.folder:
            click.echo(str(exported.folder))
    besides = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    say(
        f"{counted(counts.total(), 'distilled set')}: {counts['written']} written, "
        f"{counts['already there']} already there, {counts['missing']} missing{besides}"
    )
    return 1 if counts["missing"] else 0
