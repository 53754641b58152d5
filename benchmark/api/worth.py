"""Counting what sets are worth in plain samples of their generative models: the runs that this takes, and its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count as numbered
from itertools import islice
from pathlib import Path
from typing import Any

from ddbench.api.captions import facts_of
from ddbench.api.run import Execution, run_plan
from ddbench.api.stores import Say, Stores, say_on_stderr
from ddbench.api.tables import Tables
from ddbench.config import variants
from ddbench.config.schema import Config, changed
from ddbench.config.study import Study, resolve
from ddbench.config.values import describe
from ddbench.errors import BenchError, PluginError
from ddbench.plan.build import make_plan
from ddbench.plan.graph import Plan
from ddbench.plugins import registry
from ddbench.results.statistics import Select, samples
from ddbench.results.tables.worth import worth_tables
from ddbench.results.tables.worth_rows import Behind
from ddbench.store.opening import open_store
from ddbench.types import Cell, Distiller

FACTORS = (1, 2, 5, 10, 20, 50, 100)
"""sizes of plain sets, as multiples of those of the sets that are counted"""
CLASSIFIERS = 3
"""of the whole train split, at least: it is one set, so that its classifiers give the training shift its interval"""


@dataclass(frozen=True)
class Counting:
    """The two studies behind a table of worth: the sets, and plain sets of growing size with the whole train split."""

    sets: Study
    plain: Study
    whole: Study | None
    """the whole train split, where a method for it is registered"""
    behind: dict[str, Behind]
    """method -> the rows of plain samples of its model and of the prior"""
    factors: tuple[int, ...]
    """sizes of plain sets, as multiples of the ipc of the set that they are for"""

    @property
    def studies(self) -> tuple[Study, ...]:
        return tuple(study for study in (self.sets, self.plain, self.whole) if study)

    def plans(self) -> list[tuple[Config, Plan]]:
        return [(study.config, make_plan(study)) for study in self.studies]

    def plan(self) -> Plan:
        """All of it as one plan."""
        plans = [plan for _, plan in self.plans()]
        return Plan(
            {key: stage for plan in plans for key, stage in plan.stages.items()},
            {cell: key for plan in plans for cell, key in plan.cells.items()},
        )


@dataclass(frozen=True)
class Counted(Tables):
    """The table of worth, and how many of its cells failed."""

    failed: int = 0


def counting(config: Config, factors: Sequence[int] = FACTORS, option: str = "--factors ") -> Counting:
    """The runs that count what the sets of ``config`` are worth, with plain sets of ``factors`` times their ipc.

    Methods behind which no generative model stands are left out. Raises BenchError where none is left, and for fewer
    than two factors; ``option`` is how the message names them.
    """
    check_factors(factors, option)
    study = resolve(config)
    dataset = config.grid.datasets[0]
    drawn = {name: study.methods[dataset, name].drawn_from() for name in config.grid.methods}
    sampled = {name: found for name, found in drawn.items() if found}
    if not sampled:
        raise BenchError(
            "no method of this study samples a generative model, so that there is none to count samples of. Example: "
            "--methods cgs,rsm_cgs"
        )
    known = _family(dataset, config, {study.methods[dataset, name].family for name in sampled})
    behind = {
        name: Behind(_name(model, name, known), _name(prior, name, known)) for name, (model, prior) in sampled.items()
    }
    plain_rows = list(dict.fromkeys(name for one in behind.values() for name in (one.model, one.prior)))
    sizes = sorted({ipc * factor for ipc in config.grid.ipc for factor in factors})
    whole = next((name for name in registry.entries("method") if _is_whole(name)), None)
    return Counting(
        resolve(changed(config, {"grid.methods": list(sampled)})),
        resolve(changed(config, {"grid.methods": plain_rows, "grid.ipc": sizes})),
        resolve(changed(config, _of_whole(whole, config.grid.eval_seeds))) if whole else None,
        behind,
        tuple(sorted(set(factors))),
    )


def check_factors(factors: Sequence[int], option: str) -> None:
    """Raises BenchError for factors that give no curve."""
    example = f"Example: {option}1,2,5,10" if option.startswith("-") else f"Example: {option}[1, 2, 5, 10]"
    told = f"{option}{','.join(map(str, factors))}" if option.startswith("-") else f"{option}{[*factors]}"
    if any(isinstance(factor, bool) or not isinstance(factor, int) or factor < 0 for factor in factors):
        raise BenchError(f"{told}: factors are whole numbers. {example}")
    if 0 in factors:
        raise BenchError(f"{told}: a set of no images is none. {example}")
    if len(set(factors)) < 2:
        raise BenchError(
            f"{told}: a set is counted on a curve of larger and larger plain sets, which takes two sizes at least. "
            f"{example}"
        )


def count(
    counted: Counting,
    store: Path | str,
    how: Execution,
    which: Select = "last",
    say: Say = say_on_stderr,
    announce: Say | None = None,
) -> Counted:
    """Run what is missing of the studies in ``store`` and make the table. Raises BenchError and KeyboardInterrupt as
    ``run_plan`` does; a failed cell is counted."""
    done = [run_plan(config, plan, store, how, say=say, announce=announce) for config, plan in counted.plans()]
    cells = counted.plan().cells
    tables = worth_table(counted, Stores.of_store(open_store(store, create=False), cells, say), cells, which)
    return Counted(tables.tables, sum(one.summary.cells["failed"] for one in done))


def worth_table(counted: Counting, stores: Stores, cells: Mapping[Cell, str], which: Select = "last") -> Tables:
    """The table of ``cells``, those of the plans."""
    records = stores.records(cells)
    rows = [(name, ipc) for name in counted.sets.config.grid.methods for ipc in counted.sets.config.grid.ipc]
    by_position = samples(cells, records, which)
    return Tables(worth_tables(by_position, counted.behind, rows, counted.factors, facts_of(records)))


def _of_whole(whole: str, eval_seeds: Sequence[int]) -> dict[str, Any]:
    """The grid of the whole train split: the classifiers of the sets, and further ones up to ``CLASSIFIERS``."""
    further = (seed for seed in numbered() if seed not in eval_seeds)
    seeds = [*eval_seeds, *islice(further, max(0, CLASSIFIERS - len(eval_seeds)))]
    return {"grid.methods": [whole], "grid.ipc": [1], "grid.eval_seeds": seeds}


def _family(dataset: str, config: Config, families: set[str]) -> dict[str, Distiller]:
    """Names of methods of ``families``, as the study configures them: those of its grid first, then all others."""
    grid = config.grid.methods
    others = [name for name in registry.entries("method") if name not in grid and _family_of(name) in families]
    every = resolve(changed(config, {"grid.methods": [*grid, *others], "grid.ipc": [1]}))
    return {name: every.methods[dataset, name] for name in every.config.grid.methods}


def _family_of(name: str) -> str | None:
    try:
        return str(registry.load("method", name).family)
    except PluginError:
        return None


def _name(plain: Distiller, of: str, known: dict[str, Distiller]) -> str:
    """The name of the row ``plain``: one of ``known``, or ``of`` with what it has and ``plain`` lacks set to null."""
    described = describe(plain)
    if of in known and describe(known[of]) == described:
        return of  # it is plain itself
    if name := next((name for name, one in known.items() if describe(one) == described), None):
        return name
    own = describe(known[of])
    lacking = [field for field in described if described[field] is None and own[field] is not None]
    selected = variants.parse(of)
    inside = of[len(selected.name) + 1 : -1] if selected.changes else ""
    kept = [piece for piece in variants.split(inside) if piece.partition(".")[0].partition("=")[0] not in lacking]
    return f"{selected.name}[{','.join([*kept, *(f'{field}=null' for field in lacking)])}]"


def _is_whole(name: str) -> bool:
    try:
        return bool(registry.load("method", name).whole)
    except PluginError:
        return False
