"""What is kept of a search: an immutable JSON file ``tunes/<method>-<digest>.json`` in the store.

The file is named by its content, so the same search with the same outcome is one file wherever it was run. ``run``
(when and where) is no part of that content.
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
    """How one setting did. Accuracies are fractions on the validation part."""

    trial: int
    values: dict[str, Any]
    varied: tuple[str, ...]
    """keys whose value was proposed; the others are at the study's own"""
    outcome: Literal["ok", "stopped", "failed"]
    reason: str
    """why it was stopped or failed"""
    rounds: int
    """pairs of seeds that were judged"""
    top1: float | None
    """mean over ``cells``"""
    cells: tuple[dict[str, Any], ...]
    """{cell, key, top1} of each judged cell"""

    @property
    def spread(self) -> float | None:
        """Sample standard deviation (ddof = 1) of the distilled seeds' means; None for a single one."""
        by_seed: dict[int, list[float]] = {}
        for judged in self.cells:
            by_seed.setdefault(judged["cell"]["seed"], []).append(judged["top1"])
        means = [statistics.fmean(values) for values in by_seed.values()]
        return statistics.stdev(means) if len(means) > 1 else None


@dataclass(frozen=True)
class Tune:
    """A finished search: what was asked, every trial, and (``chosen``) what came of it."""

    study: str
    method: str
    split: str
    config: dict[str, Any]
    space: dict[str, str]
    """range of each searched key, as it was given"""
    search: str
    scheduler: str
    draws: int
    seed: int
    rounds: int
    """of a trial that is not stopped"""
    trials: tuple[TrialRow, ...]
    run: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', self.method)}-{digest(self.content())[:10]}"

    @property
    def cells(self) -> int:
        """Cells judged for this search, its cost."""
        return sum(len(row.cells) for row in self.trials)

    def ranked(self) -> list[TrialRow]:
        """Trials best first: those judged longest before those stopped early, whose mean is over less; failed last."""
        return sorted(
            self.trials, key=lambda row: (row.outcome == "failed", -row.rounds, -(row.top1 or 0.0), row.trial)
        )

    @property
    def chosen(self) -> TrialRow | None:
        """The best trial; None when all failed."""
        best = self.ranked()[0]
        return None if best.outcome == "failed" else best

    def content(self) -> dict[str, Any]:
        """All that configuration and seeds determine, as JSON."""
        body = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in {"run", "trials"}}
        rows = [dataclasses.asdict(row) for row in self.trials]
        return json.loads(json.dumps({"format": FORMAT, **body, "trials": rows}))

    def to_json(self) -> dict[str, Any]:
        best = self.chosen
        chosen = {"trial": best.trial, "values": best.values, "top1": best.top1} if best else None
        return {"id": self.id, **self.content(), "chosen": chosen, "cells": self.cells, "run": self.run}

    @staticmethod
    def from_json(value: dict[str, Any]) -> Tune:
        """Raises KeyError, TypeError or ValueError when ``value`` is no search, or not as it was written."""
        names = [f.name for f in dataclasses.fields(Tune) if f.name != "trials"]
        rows = [
            TrialRow(**{**row, "varied": tuple(row["varied"]), "cells": tuple(row["cells"])}) for row in value["trials"]
        ]
        tune = Tune(**{name: value[name] for name in names}, trials=tuple(rows))
        if value["format"] != FORMAT or tune.id != value["id"]:
            raise ValueError("its id is not that of its content")
        return tune


def write(store: Store, tune: Tune) -> str:
    """Keep a search; where it lies. One that is there already stays as it is."""
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
    """What searches chose, as dotted keys of a configuration, with the key ``tuned`` that says what it cost.

    Raises BenchError when a search chose nothing or two chose otherwise.
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
    """Each dotted key with the shortest ending of it that no other key has."""
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
