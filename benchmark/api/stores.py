"""One store or several, read as one. Nothing in them is changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ddbench.errors import BenchError
from ddbench.store.folder import Store
from ddbench.store.opening import open_store
from ddbench.types import Cell, Record

DEFAULT_STORE = "bench-store"

Say = Callable[[str], None]
"""``say(message)``: told of what is not as it should be and stops nothing"""


def say_on_stderr(message: str) -> None:
    print(f"bench: {message}", file=sys.stderr)


def wanted(store: Store) -> dict[Cell, str]:
    """The cells of all runs on a store, each with the key that the latest run gave it."""
    return {Cell(**cell): key for run in store.runs() for cell, key in run["cells"]}


class Stores:
    """Of a cell that several stores hold, the store named last says which configuration is meant, and it is said."""

    def __init__(self, folders: Sequence[Path | str], say: Say = say_on_stderr) -> None:
        """Raises BenchError when a folder is no store."""
        self.say = say
        self.members: list[Store] = [open_store(folder, create=False) for folder in folders]
        self.wanted: dict[Cell, str] = {}
        for store in self.members:
            asked = wanted(store)
            other = [cell for cell, key in asked.items() if self.wanted.get(cell, key) != key]
            if other:
                say(
                    f"{store.address} has {len(other)} cell{'s' * (len(other) > 1)} in another configuration than a "
                    f"store named before it, such as {other[0]}: its own counts."
                )
            self.wanted |= asked

    @classmethod
    def of_store(cls, store: Store, cells: Mapping[Cell, str], say: Say = say_on_stderr) -> Stores:
        """An open store alone, of which ``cells`` are asked for."""
        stores = cls.__new__(cls)
        stores.say, stores.members, stores.wanted = say, [store], dict(cells)
        return stores

    @classmethod
    def of(cls, stores: Stores, cells: Mapping[Cell, str]) -> Stores:
        """The same stores, of which only ``cells`` are asked for."""
        narrowed = cls.__new__(cls)
        narrowed.say, narrowed.members, narrowed.wanted = stores.say, stores.members, dict(cells)
        return narrowed

    def records(self, cells: Mapping[Cell, str]) -> list[Record]:
        """The record that counts for each of ``cells``, from any of the stores: a success where one has it."""
        by_key: dict[str, Record] = {}
        for store in self.members:
            for record in store.records(set(cells.values()), self.say):
                if record.key not in by_key or by_key[record.key].outcome != "ok":
                    by_key[record.key] = record
        return [by_key[key] for key in sorted(by_key)]

    def holding(self, kind: str, key: str) -> Store | None:
        """The first store with an artifact."""
        return next((store for store in self.members if store.exists(kind, key)), None)

    def check_asked(self) -> None:
        """Raises BenchError when no run asked the stores for anything."""
        if not self.wanted:
            names = ", ".join(store.address for store in self.members)
            raise BenchError(f"nothing has been run on the store {names} yet; --store DIR names another.")
