"""``bench labels``: stores soft labels for distilled sets, for protocols such as fkd@1."""

from __future__ import annotations

from pathlib import Path

import click

from ddbench.cli.completion import configs, names_of
from ddbench.cli.options import StoreType, plugin_option, say, store_option


@click.command("labels")
@click.argument("folders", nargs=-1, required=True, type=StoreType(path_type=Path), metavar="SETS...")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder of labels; of several sets one in it for each, 0, 1 and so on.",
)
@click.option(
    "--protocol",
    default="fkd@1",
    show_default=True,
    shell_complete=names_of("protocol"),
    help="How the sets will be judged: its epochs, batches, crops and CutMix are stored.",
)
@click.option(
    "--teacher",
    required=True,
    metavar="PROTOCOL",
    shell_complete=names_of("protocol"),
    help="A protocol whose teacher gives the labels, such as rded@1; it is trained or loaded in the store.",
)
@click.option(
    "--config",
    default="digits",
    show_default=True,
    shell_complete=configs,
    help="The study whose dataset and options are meant.",
)
@click.option("--dataset", shell_complete=names_of("dataset"), help="What the sets were distilled from.")
@click.option("--seed", default=0, show_default=True, help="From which the views are drawn.")
@click.option("--float32", is_flag=True, help="Store outputs in float32 in place of half precision.")
@store_option
@plugin_option
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any key of the configuration, dotted.")
def labels(
    folders: tuple[Path | str, ...],
    out: Path,
    protocol: str,
    teacher: str,
    config: str,
    dataset: str | None,
    seed: int,
    float32: bool,
    store: Path,
    plugins: tuple[str, ...],
    assignments: tuple[str, ...],
) -> None:
    """Store soft labels for distilled images in SETS: a teacher's outputs for each epoch and view, in the form of
    SRe2L, as `bench evaluate SETS --labels FOLDER --protocol fkd@1` reads them.
    """
    from ddbench.api.store_labels import write_labels

    written = write_labels(
        folders,
        out,
        protocol=protocol,
        teacher=teacher,
        where=store,
        config=config,
        dataset=dataset,
        seed=seed,
        half=not float32,
        plugins=plugins,
        assignments=assignments,
        say=say,
    )
    given = " ".join(f"--labels {folder}" for folder in written)
    sets = " ".join(map(str, folders))
    click.echo(f"bench evaluate {sets} {given} --protocol '{protocol}' --method NAME --store {store}")
