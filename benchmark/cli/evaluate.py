"""``bench evaluate``: evaluates distilled images that other code made, like those of a method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddbench.cli.options import (
    execution_of,
    execution_options,
    integers,
    json_option,
    names,
    plugin_option,
    say,
    store_option,
)

if TYPE_CHECKING:
    from ddbench.api.choices import Executor


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--config", default="digits", show_default=True, help="The study whose dataset, archs and protocol are meant."
)
@click.option("--dataset", help="What the images were distilled from; default: the config's.")
@click.option("--archs", "--arch", "archs", multiple=True)
@click.option("--protocol", help="How the images are judged (`bench list protocols`).")
@click.option("--eval-seeds", multiple=True, help="Seeds of classifiers, e.g. 0,1,2 or 0-2.")
@click.option("--method", help="Name of the images in tables; by default that of the first folder.")
@click.option("--resize", is_flag=True, help="Resize images of another size, as the dataset resizes its own.")
@store_option
@execution_options
@plugin_option
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any key of the configuration, dotted.")
@json_option
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
    executor: Executor,
    ray_address: str | None,
    watchers: tuple[str, ...],
    plugins: tuple[str, ...],
    assignments: tuple[str, ...],
    as_json: bool,
    debug: bool,
) -> int:
    """Judge distilled images in FOLDERS, made by any code, and print their table.

    A folder is a distilled set: a sub-folder of images for each class, named as the class (wnid or name), or a Hugging
    Face dataset (save_to_disk, parquet). Several folders are several sets of one method, for a spread. The IPC is
    counted. `bench table` then shows them beside the methods that ran on the same store.
    """
    from ddbench.api.evaluate import plan_judging
    from ddbench.api.run import run_plan
    from ddbench.cli.finish import finish
    from ddbench.cli.streams import stdout_kept

    options = {
        "grid.datasets": [dataset] if dataset else None,
        "grid.archs": names(archs),
        "grid.eval_seeds": integers("--eval-seeds", eval_seeds, ranges=True),
        "grid.protocol": protocol,
    }
    how = execution_of(executor, ray_address, watchers, debug)
    judging = plan_judging(
        folders,
        config=config,
        method=method,
        resize=resize,
        plugins=plugins,
        changes={key: value for key, value in options.items() if value is not None},
        assignments=assignments,
        say=say,
    )
    with stdout_kept() as stdout:
        done = run_plan(judging.config, judging.plan, store, how, judging.add_sets, say)
        return finish(done, judging.plan, as_json, stdout)
