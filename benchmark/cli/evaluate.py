"""``bench evaluate``: images made by anyone, judged under a protocol like those of a method."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.cli.options import integers, names
from ddbench.cli.table import store_option
from ddbench.errors import BenchError

if TYPE_CHECKING:
    from ddbench.config.study import Study
    from ddbench.images import LabeledImages
    from ddbench.plan.graph import Plan
    from ddbench.store.folder import Store


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--config", default="digits", show_default=True, help="The study whose dataset, archs and protocol are meant."
)
@click.option("--dataset", help="What the images were distilled from; what is not given is the config's.")
@click.option("--archs", "--arch", "archs", multiple=True)
@click.option("--protocol", help="How the images are judged (`bench list protocols`).")
@click.option("--eval-seeds", multiple=True, help="Seeds of classifiers, e.g. 0,1,2 or 0-2.")
@click.option("--method", help="Name of the images in tables; by default that of the first folder.")
@click.option("--resize", is_flag=True, help="Resize images of another size, as the dataset resizes its own.")
@store_option
@click.option("--executor", type=click.Choice(["auto", "inline", "ray"]), default="auto", show_default=True)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any key of the configuration, dotted.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def evaluate(
    folders: tuple[Path, ...],
    config: str,
    dataset: str | None,
    archs: tuple[str, ...],
    protocol: str | None,
    eval_seeds: tuple[str, ...],
    method: str | None,
    resize: bool,
    store: Path,
    executor: str,
    assignments: tuple[str, ...],
    as_json: bool,
    debug: bool,
) -> int:
    """Judge distilled images in FOLDERS, made by any code, and print their table.

    A folder is a distilled set: a sub-folder of images for each class, named as the class (wnid or name), or a Hugging
    Face dataset (save_to_disk, parquet). Several folders are several sets of one method, for a spread. The IPC is
    counted. `bench table` then shows them beside the methods that ran on the same store.
    """
    from ddbench.api.run import execute
    from ddbench.cli.streams import stdout_kept
    from ddbench.config.schema import load_config
    from ddbench.config.study import Given, resolve
    from ddbench.methods.external import ExternalImages
    from ddbench.plan.build import make_plan

    name = _name(method, folders[0])
    options = {
        "grid.datasets": [dataset] if dataset else None,
        "grid.archs": names(archs),
        "grid.eval_seeds": integers("--eval-seeds", eval_seeds, ranges=True),
        "grid.protocol": protocol,
    }
    changes: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    fixed = {"grid.methods": [name], "grid.ipc": [1], "grid.seeds": list(range(len(folders)))}
    asked = load_config(config, {**changes, **fixed}, assignments)
    if len(asked.grid.datasets) != 1:
        raise BenchError(f"{config} has the datasets {', '.join(asked.grid.datasets)}: name one with --dataset.")
    given = Given(ExternalImages(resized=resize), images=())
    study = resolve(asked, given)
    sets = _read(folders, study, resize)
    _say_of_soft_labels(sets[0], study, asked.grid.protocol)
    asked = asked.model_copy(update={"grid": asked.grid.model_copy(update={"ipc": (_ipc(folders, sets),)})})
    given = replace(given, images=tuple(made.digest() for made in sets))
    plan = make_plan(replace(study, config=asked, given=given))
    with stdout_kept() as stdout:
        return execute(
            asked, plan, store, executor, as_json, debug, stdout, lambda opened: _keep(opened, plan, sets, study)
        )


def _name(method: str | None, folder: Path) -> str:
    """The name in tables. Raises BenchError for one that a registered method has."""
    from ddbench.plugins.registry import entries

    name = method or folder.resolve().name
    if name in entries("method"):
        raise BenchError(
            f"{name!r} is a registered method: images from elsewhere must be told from its own. Name them with "
            "--method NAME."
        )
    return name


def _read(folders: tuple[Path, ...], study: Study, resize: bool) -> list[LabeledImages]:
    from ddbench.data.external.read import read_external

    (dataset,) = study.datasets.values()
    return [read_external(folder, dataset, resize) for folder in folders]


def _ipc(folders: tuple[Path, ...], sets: list[LabeledImages]) -> int:
    found = [len(made) // len(made.classes) for made in sets]
    if len(set(found)) > 1:
        other = next(i for i, ipc in enumerate(found) if ipc != found[0])
        raise BenchError(
            f"{folders[0]} has IPC {found[0]} and {folders[other]} has IPC {found[other]}: only sets of one IPC can be "
            "averaged. Give each IPC in a command of its own, with the same --method."
        )
    return found[0]


def _say_of_soft_labels(made: LabeledImages, study: Study, protocol: str) -> None:
    """Soft labels that a protocol does not use, or needs and does not find, are worth a word before the training."""
    uses = getattr(study.protocol, "labels", "hard")
    if uses == "set" and made.soft is None:
        raise BenchError(
            f"the protocol {protocol} trains on the soft labels of the set, and this one has none. Choose one with "
            "hard labels (`bench list protocols`)."
        )
    if uses != "set" and made.soft is not None:
        click.echo(f"bench: the images carry soft labels; {protocol} does not use them", err=True)


def _keep(store: Store, plan: Plan, sets: list[LabeledImages], study: Study) -> None:
    """Put the images into the store, where the plan expects what a method made."""
    from ddbench.stages.run import keep_given

    (dataset,) = study.datasets.values()
    for stage in plan.stages.values():
        if stage.kind == "distill":
            keep_given(store, stage, sets[stage.task["seed"]], dataset)  # seeds count the folders
