"""``bench config show``: a study with all its values, and where each comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ddbench.cli.options import json_option, store_option
from ddbench.cli.study_options import configuration_of, grid_options


@click.group()
def config() -> None:
    """Show what a configuration says."""


@config.command()
@grid_options()
@click.option("--all", "whole", is_flag=True, help="Every option of the datasets and methods, with its default.")
@store_option
@json_option
def show(whole: bool, store: Path | str, as_json: bool, **grid: Any) -> None:
    """Print the study that the options describe as YAML, each value with where it comes from.

    That is a line of the file, a line of a file that it extends, the option or the --set, or the default. `--config`
    reads what is printed. A study that cannot be run is shown too, and then what is wrong with it.
    """
    from ddbench.config.shown import as_yaml, values_of
    from ddbench.config.study import resolve
    from ddbench.errors import BenchError

    asked, study, wrong = configuration_of(store, **grid), None, None
    try:
        study = resolve(asked)
    except BenchError as error:
        wrong = error
    values = values_of(asked, study if whole else None)
    if as_json:
        rows = [{"key": list(one.path), "value": one.value, "origin": one.where} for one in values]
        click.echo(json.dumps(rows, indent=1))
    else:
        click.echo(as_yaml(values), nl=False)
    if wrong:
        raise wrong
