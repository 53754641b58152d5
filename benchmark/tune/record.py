"""The record of a search: an immutable JSON file ``tunes/<method>-<digest>.json`` in the store.

The digest leaves out ``run`` (when and where), so that the same search with the same results has the same file name on
every machine.
"""

from __future__ import annotations

import dataclasses
import json
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ddbench.errors import BenchError, unknown
from ddbench.keys import digest
from ddbench.store.folder import Store
from ddbench.store.opening import open_store

FORMAT = 1
FOLDER = "tunes"


@dataclass(frozen=True)
class TrialRow:
    """The result of one setting. Accuracies are fractions on the validation part."""

    trial: int
    values: dict[str, Any]
    varied: tuple[str, ...]
    """keys whose value was proposed; the others have the study's own value"""
    outcome: Literal["ok", "stopped", "failed"]
    reason: str
    """why it was stopped or failed"""
    rounds: int
    """number of pairs of seeds that were evaluated"""
    top1: float | None
    """mean over ``cells``"""
    cells: tuple[dict[str, Any], ...]
    """{cell, key, top1} of each evaluated cell"""

    @property
    def by_set(self) -> dict[int, float]:
        """Seed of a distilled set -> its mean over classifiers."""
        by_seed: dict[int, list[float]] = {}
        for judged in self.cells:
            by_seed.setdefault(judged["cell"]["seed"], []).append(judged["top1"])
        return {seed: statistics.fmean(values) for seed, values in by_seed.items()}

    @property
    def spread(self) -> float | None:
        """Sample standard deviation (ddof = 1) of the distilled seeds' means; None for a single one."""
        means = list(self.by_set.values())
        return statistics.stdev(means) if len(means) > 1 else None


@dataclass(frozen=True)
class Tune:
    """A finished search: the request and every trial; ``chosen`` is the best trial."""

    study: str
    method: str
    split: str
    config: dict[str, Any]
    space: dict[str, str]
    """searched key -> its range, as the user wrote it"""
    search: str
    scheduler: str
    draws: int
    seed: int
    rounds: int
    """number of rounds of a complete trial"""
    trials: tuple[TrialRow, ...]
    run: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', self.method)}-{digest(self.content())[:10]}"

    @property
    def cells(self) -> int:
        """Number of cells evaluated for this search: its cost."""
        return sum(len(row.cells) for row in self.trials)

    def ranked(self) -> list[TrialRow]:
        """Trials, best first: more rounds before fewer, whose mean is over less; then by top-1; failed ones last."""
        return sorted(
            self.trials, key=lambda row: (row.outcome == "failed", -row.rounds, -(row.top1 or 0.0), row.trial)
        )

    @property
    def chosen(self) -> TrialRow | None:
        """The best trial; None when all failed."""
        best = self.ranked()[0]
        return None if best.outcome == "failed" else best

    def content(self) -> dict[str, Any]:
        """Everything that configuration and seeds determine, as JSON."""
        body = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in {"run", "trials"}}
        rows = [dataclasses.asdict(row) for row in self.trials]
        return json.loads(json.dumps({"format": FORMAT, **body, "trials": rows}))

    def to_json(self) -> dict[str, Any]:
        best = self.chosen
        chosen = {"trial": best.trial, "values": best.values, "top1": best.top1} if best else None
        return {"id": self.id, **self.content(), "chosen": chosen, "cells": self.cells, "run": self.run}

    @staticmethod
    def from_json(value: dict[str, Any]) -> Tune:
        """The search that ``to_json`` wrote. Raises KeyError, TypeError or ValueError for other or altered JSON."""
        names = [f.name for f in dataclasses.fields(Tune) if f.name != "trials"]
        rows = [
            TrialRow(**{**row, "varied": tuple(row["varied"]), "cells": tuple(row["cells"])}) for row in value["trials"]
        ]
        tune = Tune(**{name: value[name] for name in names}, trials=tuple(rows))
        if value["format"] != FORMAT or tune.id != value["id"]:
            raise ValueError("its id is not that of its content")
        return tune


def write(store: Store, tune: Tune) -> str:
    """Write a search to the store, unless it is there already; its address."""
    name = f"{tune.id}.json"
    if name not in store.file_names(FOLDER):
        store.add_file(FOLDER, name, json.dumps(tune.to_json(), indent=1).encode())
    return f"{store.address}/{FOLDER}/{name}"


def find(where: Path | str, name: str) -> Tune:
    """The search in the file ``name``, or in the store ``where`` with the id ``name`` (or the only one that begins so).

    Raises BenchError.
    """
    if Path(name).is_file():
        return _read(Path(name))
    store = open_store(where, create=False)
    known = [kept.removesuffix(".json") for kept in store.file_names(FOLDER)]
    matches = [name] if name in known else [other for other in known if other.startswith(name)]
    if len(matches) != 1:
        raise unknown("search", name, matches or known, where=str(where), hint="`bench tune` makes one.")
    return _read(*store.local_paths(FOLDER, [f"{matches[0]}.json"]))


def latest(store: Store) -> Tune:
    """The search that ended last. Raises BenchError when there is none."""
    tunes = [_read(path) for path in store.local_paths(FOLDER, store.file_names(FOLDER))]
    if not tunes:
        raise BenchError(f"the store {store.address} holds no search. `bench tune` makes one; --store names another.")
    return max(tunes, key=lambda tune: str(tune.run.get("finished", "")))


def values_and_cost(tunes: Sequence[Tune]) -> dict[str, Any]:
    """The values that searches chose, by dotted key of a configuration, and their cost under the key ``tuned``.

    Raises BenchError when a search chose nothing, or when two chose different values for a key.
    """
    values: dict[str, Any] = {}
    cost: list[dict[str, Any]] = []
    for tune in tunes:
        if tune.chosen is None:
            raise BenchError(f"the search {tune.id} chose nothing: all of its trials failed.")
        chosen = tune.chosen.values
        for key, value in chosen.items():
            if values.setdefault(key, value) != value:
                raise BenchError(f"two searches chose different values for {key}: {values[key]!r} and {value!r}.")
        cost.append(
            {
                "tune": tune.id,
                "method": tune.method,
                "values": chosen,
                "trials": len(tune.trials),
                "cells": tune.cells,
            }
        )
    return {**values, "tuned": cost}


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """Dotted key -> its shortest ending that no other key shares."""
    keys = list(keys)
    parts = {key: key.split(".") for key in keys}

    def ending(key: str) -> str:
        for n in range(1, len(parts[key])):
            tail = parts[key][-n:]
            if not any(other != key and parts[other][-n:] == tail for other in keys):
                return ".".join(tail)
        return key

    return {key: ending(key) for key in keys}


def _read(path: Path) -> Tune:
    try:
        return Tune.from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path} is not the record of a search ({type(error).__name__}: {error}).") from None
