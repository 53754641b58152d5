"""Making a study: a configuration with changes, resolved to the registered objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ddbench.config.schema import Config, load_config
from ddbench.config.study import Study, resolve
from ddbench.config.variants import canonical
from ddbench.data.layout import forget
from ddbench.plan.build import make_plan
from ddbench.plan.graph import Plan
from ddbench.plan.shards import shard_of
from ddbench.plugins.files import absolute
from ddbench.tune.record import find, values_and_cost

GRID = ("datasets", "methods", "ipc", "archs", "seeds", "eval_seeds", "protocol")
"""keys of the grid that are parameters of ``study`` and options of the command"""


def configuration(
    config: str,
    *,
    store: Path | str,
    plugins: Sequence[str] = (),
    tuned: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
    typed: Mapping[str, str] | None = None,
    assignments: Sequence[str] = (),
    **grid: Any,
) -> Config:
    """The configuration ``config`` (a name or a YAML file) with the lists of its grid replaced by those in ``grid``.

    tuned: ids or files of searches whose chosen values are applied, looked up in ``store``; changes: dotted key ->
    value; typed: key -> how messages name the option or parameter that set it; assignments: ``key=value``, applied
    last. Raises BenchError.
    """
    forget()  # in a notebook, folders may have been mended since the study before
    given = {f"grid.{name}": grid[name] for name in GRID if grid.get(name) is not None}
    searched = values_and_cost([find(store, name) for name in tuned]) if tuned else {}
    named = {"plugins": absolute(plugins)} if plugins else {}
    options = {"plugins": "--plugin"} | dict.fromkeys(searched, f"--tuned {','.join(tuned)}") | dict(typed or {})
    return load_config(config, {**given, **named, **(changes or {}), **searched}, assignments, options)


def study(
    config: str | Path = "digits",
    *,
    datasets: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    ipc: Sequence[int] | None = None,
    archs: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    eval_seeds: Sequence[int] | None = None,
    protocol: str | None = None,
    set: Mapping[str, Any] | None = None,
    plugins: Sequence[str | Path] = (),
    tuned: Sequence[str] = (),
    store: Path | str = "bench-store",
) -> Study:
    """A study: the configuration ``config`` (a name or a YAML file) with the lists of its grid that are given here.

    set: dotted key of the configuration -> value, as ``--set``; plugins: Python files that register more; tuned: ids
    of searches in ``store`` whose chosen values are applied. Nothing is run. Raises BenchError for an unknown name or
    key, a value of the wrong type, and an ipc larger than the smallest class.
    """
    chosen = configuration(
        str(config),
        store=store,
        plugins=[str(plugin) for plugin in plugins],
        tuned=tuned,
        changes=set,
        typed={f"grid.{name}": f"{name}=" for name in GRID} | {key: f"set={{{key!r}: ...}}" for key in set or {}},
        datasets=None if datasets is None else list(datasets),
        methods=None if methods is None else [canonical(method) for method in methods],
        ipc=None if ipc is None else list(ipc),
        archs=None if archs is None else [canonical(arch) for arch in archs],
        seeds=None if seeds is None else list(seeds),
        eval_seeds=None if eval_seeds is None else list(eval_seeds),
        protocol=protocol,
    )
    return resolve(chosen)


def plan_of_study(study: Study, shard: str | None = None) -> Plan:
    """The plan of a study, or of its part ``shard`` (``i/n``). Raises BenchError for a malformed shard."""
    plan = make_plan(study)
    return shard_of(plan, shard) if shard else plan
