"""``bench evaluate``: evaluates distilled images that other code made, like those of a method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.cli.completion import configs, names_of
from ddbench.cli.options import (
    StoreType,
    allow_test_copies_option,
    dry_run_option,
    execution_of,
    execution_options,
    integers,
    json_option,
    named,
    numbers,
    plugin_option,
    say,
    store_option,
    tell,
)
from ddbench.cli.study_options import options_of_grid

if TYPE_CHECKING:
    from ddbench.api.choices import Executor


@click.command()
@click.argument("folders", nargs=-1, required=True, type=StoreType(path_type=Path), metavar="SETS...")
@click.option(
    "--config",
    default="digits",
    show_default=True,
    shell_complete=configs,
    help="The study whose dataset, archs and protocol are meant.",
)
@click.option(
    "--dataset",
    "--datasets",
    "dataset",
    shell_complete=names_of("dataset"),
    help="What the images were distilled from; default: the config's.",
)
@click.option("--archs", "--arch", "archs", multiple=True, shell_complete=names_of("arch", many=True))
@click.option(
    "--protocol",
    "--protocols",
    "protocol",
    shell_complete=names_of("protocol"),
    help="How the images are judged (`bench list protocols`).",
)
@click.option("--eval-seeds", multiple=True, help="Seeds of classifiers, e.g. 0,1,2 or 0-2.")
@click.option(
    "--method", "--methods", "method", help="Name of the images in tables; by default that of the first folder."
)
@click.option(
    "--mean", help="What the floats of a file of tensors were normalised with: 0.49,0.48,0.45, or one number."
)
@click.option("--sd", help="What they were divided by, likewise.")
@click.option(
    "--class-order",
    metavar="FILE|dataset",
    help="Which class a number is: a file with a class on each line, from 0; or the order of the dataset.",
)
@click.option(
    "--labels",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Soft labels stored for each epoch and view (epoch_E/batch_B.tar of SRe2L), once for each set; for fkd@1.",
)
@allow_test_copies_option
@click.option("--resize", is_flag=True, help="Resize images of another size, as the dataset resizes its own.")
@dry_run_option
@store_option
@execution_options
@plugin_option
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any key of the configuration, dotted.")
@json_option
def evaluate(
    folders: tuple[Path | str, ...],
    config: str,
    dataset: str | None,
    archs: tuple[str, ...],
    protocol: str | None,
    eval_seeds: tuple[str, ...],
    method: str | None,
    mean: str | None,
    sd: str | None,
    class_order: str | None,
    labels: tuple[Path, ...],
    allow_test_copies: bool,
    resize: bool,
    dry_run: bool,
    store: Path,
    executor: Executor,
    ray_address: str | None,
    watchers: tuple[str, ...],
    plugins: tuple[str, ...],
    assignments: tuple[str, ...],
    as_json: bool,
    debug: bool,
) -> int:
    """Judge distilled images in SETS, made by any code, and print their table.

    A set is a sub-folder of images for each class, named as the class (wnid or name), a Hugging Face dataset
    (save_to_disk, parquet), a file of tensors: res_*.pt of DC, DSA and DM, images_best.pt of MTT and DATM, an npz; or
    any of these on the Hugging Face hub, hf://datasets/USER/NAME or a folder in it.
    Several are several sets of one method, for a spread. The IPC is counted. `bench table` then shows them beside the
    methods that ran on the same store.
    """
    from ddbench.api.evaluate import plan_judging
    from ddbench.api.run import run_plan
    from ddbench.cli.finish import finish
    from ddbench.cli.streams import stdout_kept

    options = {
        "grid.datasets": [dataset] if dataset else None,
        "grid.archs": named("--archs", archs),
        "grid.eval_seeds": integers("--eval-seeds", eval_seeds, ranges=True),
        "grid.protocol": protocol,
        "allow_test_copies": allow_test_copies or None,
    }
    how = execution_of(executor, ray_address, watchers, debug)
    judging = plan_judging(
        folders,
        config=config,
        method=method,
        resize=resize,
        mean=numbers("--mean", mean),
        sd=numbers("--sd", sd),
        class_order=class_order,
        labels=labels,
        plugins=plugins,
        changes={key: value for key, value in options.items() if value is not None},
        typed=options_of_grid() | {"grid.datasets": "--dataset"},
        assignments=assignments,
        say=say,
    )
    if dry_run:
        from ddbench.api.run import waiting
        from ddbench.cli.dry_run import print_plan
        from ddbench.stages.problems import refuse_problems

        left = waiting(judging.plan, store, judging.external)
        print_plan(judging.plan, left, store, as_json, executor=executor)
        refuse_problems(left.values(), light=True)
        return 0
    with stdout_kept() as stdout:
        announce = None if as_json else tell
        plan, sets = judging.plan, judging.add_sets
        done = run_plan(judging.config, plan, store, how, sets, say, announce, external=judging.external)
        return finish(done, judging.plan, as_json, stdout)
