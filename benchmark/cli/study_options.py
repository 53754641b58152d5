"""The options that choose a study, shared by several subcommands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.cli.completion import configs, names_of
from ddbench.cli.options import integers, named

if TYPE_CHECKING:
    from ddbench.config.schema import Config

_METHODS = click.option("--methods", "--method", "methods", multiple=True, shell_complete=names_of("method", many=True))
_GRID = (
    click.option(
        "--config",
        default="digits",
        show_default=True,
        shell_complete=configs,
        help="A named study (`bench list configs`) or a YAML file.",
    ),
    click.option(
        "--datasets",
        "--dataset",
        "datasets",
        multiple=True,
        shell_complete=names_of("dataset", many=True),
        help="Lists take commas and repeats; default: the config's.",
    ),
    click.option("--ipc", multiple=True, help="Images per class, e.g. 1,10."),
    click.option("--archs", "--arch", "archs", multiple=True, shell_complete=names_of("arch", many=True)),
    click.option("--seeds", multiple=True, help="Seeds of distilled sets, e.g. 0,1,2 or 0-2."),
    click.option("--eval-seeds", multiple=True, help="Seeds of classifiers, crossed with --seeds."),
    click.option(
        "--protocol",
        "--protocols",
        "protocol",
        shell_complete=names_of("protocol"),
        help="How distilled sets are judged (`bench list protocols`).",
    ),
    click.option(
        "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any key of the configuration, dotted."
    ),
    click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A Python file that registers more."),
    click.option(
        "--tuned", multiple=True, metavar="TUNE", help="Apply the values that a `bench tune` chose: id or file."
    ),
)


def options_of_grid() -> dict[str, str]:
    """Key of the grid -> the option that sets it."""
    from ddbench.api.study import GRID

    return {f"grid.{name}": f"--{name.replace('_', '-')}" for name in GRID}


def grid_options(*, methods: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that adds the options of ``configuration_of`` to a click command, ``--methods`` if ``methods``."""
    options = (*_GRID[:2], _METHODS, *_GRID[2:]) if methods else _GRID
    return lambda command: reduce(lambda decorated, option: option(decorated), reversed(options), command)


def configuration_of(
    store: Path | str,
    *,
    config: str,
    ipc: Sequence[str],
    seeds: Sequence[str],
    eval_seeds: Sequence[str],
    protocol: str | None,
    assignments: Sequence[str],
    plugins: Sequence[str],
    tuned: Sequence[str],
    changes: Mapping[str, Any] | None = None,
    typed: Mapping[str, str] | None = None,
    **lists: Sequence[str],
) -> Config:
    """The configuration that the options describe. ``tuned``: searches, looked up in ``store``; ``changes``: dotted key
    -> value, overridden by ``--set``; ``typed``: key of ``changes`` -> the option that it came by. Raises
    BenchError."""
    from ddbench.api.study import configuration

    return configuration(
        config,
        store=store,
        plugins=plugins,
        tuned=tuned,
        changes=changes,
        typed={**options_of_grid(), **(typed or {})},
        assignments=assignments,
        ipc=integers("--ipc", ipc),
        seeds=integers("--seeds", seeds, ranges=True),
        eval_seeds=integers("--eval-seeds", eval_seeds, ranges=True),
        protocol=protocol,
        **{name: named(f"--{name}", values) for name, values in lists.items()},
    )
