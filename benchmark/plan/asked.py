"""The distilled sets that runs on a store asked for."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

from ddbench.store.folder import Store
from ddbench.store.opening import open_store
from ddbench.types import WHOLE, Cell

Place = TypeVar("Place", bound=Hashable)


def sets_asked_for(
    store: Store, place_of: Callable[[dict[str, Any]], Place]
) -> dict[Place, tuple[list[str], dict[str, Any]]]:
    """Set -> (keys of the cells that evaluate it, record of the latest run that asked for it).

    Of several configurations of a set that of the latest run counts, as in the table.

    place_of: the coordinates of a cell -> those of its set; cells with equal ones evaluate the same set.
    """
    sets: dict[Place, tuple[list[str], dict[str, Any]]] = {}
    for run in store.runs():
        latest: dict[Place, tuple[list[str], dict[str, Any]]] = {}
        for cell, key in run["cells"]:
            if cell["ipc"] != WHOLE:
                latest.setdefault(place_of(cell), ([], run))[0].append(key)
        sets |= latest
    return sets


def distilled_keys(store: Store) -> dict[str, tuple[str, str]]:
    """Key of a cell -> (key of the set that it evaluates, split), judged or not; runs of release 0.2 do not tell."""
    return {
        key: (run["distilled"][key], cell["split"])
        for run in store.runs()
        for cell, key in run["cells"]
        if key in run.get("distilled", {})
    }


def cell_names(where: Path | str) -> list[str]:
    """The cells that runs on the store ``where`` asked for, as text, each once. Raises BenchError without a store."""
    runs = open_store(where, create=False).runs()
    return list(dict.fromkeys(str(Cell(**cell)) for run in runs for cell, _ in run["cells"]))
