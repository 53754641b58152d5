"""The options that choose a study, shared by the verbs that read one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.cli.options import integers, names

if TYPE_CHECKING:
    from ddbench.config.schema import Config

_METHODS = click.option("--methods", multiple=True)
_GRID = (
    click.option(
        "--config", default="digits", show_default=True, help="A named study (`bench list configs`) or a YAML file."
    ),
    click.option("--datasets", multiple=True, help="Lists take commas and repeats; what is not given is the config's."),
    click.option("--ipc", multiple=True, help="Images per class, e.g. 1,10."),
    click.option("--archs", multiple=True),
    click.option("--seeds", multiple=True, help="Seeds of distilled sets, e.g. 0,1,2 or 0-2."),
    click.option("--eval-seeds", multiple=True, help="Seeds of classifiers, crossed with --seeds."),
    click.option("--protocol", help="How distilled sets are judged (`bench list protocols`)."),
    click.option(
        "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any key of the configuration, dotted."
    ),
    click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A Python file that registers more."),
    click.option("--tuned", multiple=True, metavar="TUNE", help="Take the values that a `bench tune` chose: id, file."),
)

watcher_option = click.option(
    "--watcher",
    "watchers",
    multiple=True,
    metavar="NAME",
    help="Tell the watcher NAME or NAME[OPTION=VALUE] of all that happens (`bench list watchers`); repeatable.",
)
"""names for ``resolve_watchers(names(watchers) or ())``, once the plug-ins of the study are loaded"""


def grid_options(*, methods: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options that ``configuration`` reads, for a click command; without ``--methods`` where a verb names them."""
    options = (*_GRID[:2], _METHODS, *_GRID[2:]) if methods else _GRID
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)


def configuration(
    store: Path | str,
    *,
    config: str,
    datasets: Sequence[str],
    methods: Sequence[str],
    ipc: Sequence[str],
    archs: Sequence[str],
    seeds: Sequence[str],
    eval_seeds: Sequence[str],
    protocol: str | None,
    assignments: Sequence[str],
    plugins: Sequence[str],
    tuned: Sequence[str],
    changes: Mapping[str, Any] | None = None,
) -> Config:
    """The study that the options name; ``tuned`` ids are looked up in ``store``. ``changes`` are dotted keys that give
    way to ``--set``. Raises BenchError."""
    from ddbench.config.schema import load_config
    from ddbench.plugins.files import absolute

    options: dict[str, Any] = {
        "grid.datasets": names(datasets),
        "grid.methods": names(methods),
        "grid.ipc": integers("--ipc", ipc),
        "grid.archs": names(archs),
        "grid.seeds": integers("--seeds", seeds, ranges=True),
        "grid.eval_seeds": integers("--eval-seeds", eval_seeds, ranges=True),
        "grid.protocol": protocol,
        "plugins": absolute(plugins) or None,
    }
    given = {key: value for key, value in options.items() if value is not None}
    return load_config(config, {**given, **(changes or {}), **_tuned(store, tuned)}, assignments)


def _tuned(store: Path | str, tunes: Sequence[str]) -> dict[str, Any]:
    """The values that the searches ``tunes`` chose, and what they cost, as keys of a configuration."""
    if not tunes:
        return {}
    from ddbench.tune.record import find, values_and_cost

    return values_and_cost([find(store, name) for name in tunes])
