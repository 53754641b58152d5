"""``bench export``: writes distilled sets in a form that others read, with a card that says how each was made."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TypedDict

import click

from ddbench.cli.choice import Choice
from ddbench.cli.completion import names_of
from ddbench.cli.options import StoreType, integers, named, say, store_option
from ddbench.errors import BenchError
from ddbench.wording import counted

FORMS = ("imagefolder", "parquet", "pt")
"""keys of ``results.forms.FORMS``, which is imported later"""


class Filters(TypedDict):
    """Which sets are meant; None: all."""

    datasets: list[str] | None
    methods: list[str] | None
    ipc: list[int] | None
    seeds: list[int] | None


@click.command()
@store_option
@click.option(
    "--out",
    type=StoreType(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR|URL",
    help="Where the folders go: a folder, or the Hugging Face hub, hf://datasets/USER/NAME.",
)
@click.option("--form", type=Choice(FORMS, "form"), default=FORMS[0], show_default=True, help="The files of a set.")
@click.option("--private", is_flag=True, help="A repository that is created on the hub is private.")
@click.option(
    "--datasets",
    "--dataset",
    "datasets",
    multiple=True,
    shell_complete=names_of("dataset", many=True),
    help="Lists take commas and repeats; default: all.",
)
@click.option("--methods", "--method", "methods", multiple=True, shell_complete=names_of("method", many=True))
@click.option("--ipc", multiple=True, help="Images per class, e.g. 1,10.")
@click.option("--seeds", multiple=True, help="Seeds of distilled sets, e.g. 0,1,2 or 0-2.")
def export(
    store: Path,
    out: Path | str,
    form: str,
    private: bool,
    datasets: tuple[str, ...],
    methods: tuple[str, ...],
    ipc: tuple[str, ...],
    seeds: tuple[str, ...],
) -> int:
    """Write the distilled sets of a store in files that torchvision, Hugging Face datasets or torch.load read.

    Each set that a run asked for, in its latest configuration, becomes OUT/DATASET/METHOD/ipcN-seedS, with a card:
    PNG files in class folders (imagefolder), a parquet file, or tensors (pt). `bench evaluate` reads all three.
    Existing folders are left as they are; on the hub they are a commit, with a card of methods, keys and accuracies.
    Exit code 1 when some of the sets have not been made.
    """
    from ddbench.api.export import export_sets
    from ddbench.api.hub import hub_place
    from ddbench.api.share import share_sets

    counts: Counter[str] = Counter()
    filters: Filters = {
        "datasets": named("--datasets", datasets),
        "methods": named("--methods", methods),
        "ipc": integers("--ipc", ipc),
        "seeds": integers("--seeds", seeds, ranges=True),
    }
    if place := hub_place(str(out)):
        results = share_sets(store, place, **filters, form=form, private=private or None, say=say)
    elif "://" in str(out):
        raise BenchError(f"sets are exported to a folder or to hf://datasets/USER/NAME; {out} is neither.")
    elif private:
        raise BenchError("--private is for a repository on the hub, --out hf://datasets/USER/NAME.")
    else:
        results = export_sets(store, out, **filters, form=form, say=say)
    for exported in results:
        counts[exported.outcome] += 1
        if exported.folder:
            click.echo(f"{place}/{exported.path}" if place else str(exported.folder))
    besides = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    say(
        f"{counted(counts.total(), 'distilled set')}: {counts['written']} written, "
        f"{counts['already there']} already there, {counts['missing']} missing{besides}"
    )
    return 1 if counts["missing"] else 0
