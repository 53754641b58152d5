"""Reading several stores as one."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ddbench.api.choices import DEFAULT_STORE
from ddbench.errors import BenchError
from ddbench.paths import from_here
from ddbench.store.folder import Store
from ddbench.store.opening import open_store
from ddbench.types import Cell, Record

Say = Callable[[str], None]
"""``say(message)``: reports a problem that does not stop the command"""


def say_on_stderr(message: str) -> None:
    print(f"bench: {message}", file=sys.stderr)


def store_named(where: Path | str) -> str:
    """A store as a user would write it: a URL, or a folder from the current one where it lies in that."""
    return str(where) if "://" in str(where) else from_here(where)


def store_option(where: Path | str) -> str:
    """`` --store DIR`` for a command to type; empty for the store that is the default."""
    name = store_named(where)
    return "" if name == DEFAULT_STORE else f" --store {shlex.quote(name)}"


def wanted(store: Store) -> dict[Cell, str]:
    """Cell -> key, of the cells of all runs on a store, with the key of the latest run."""
    return {Cell(**cell): key for run in store.runs() for cell, key in run["cells"]}


class Stores:
    """One or several stores, which are only read.

    When stores have different configurations of a cell, that of the store named last counts, and this is reported.
    """

    def __init__(self, folders: Sequence[Path | str], say: Say = say_on_stderr) -> None:
        """Raises BenchError for a folder that does not hold a store."""
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
        """One store that is open already, with ``cells`` as the cells asked for."""
        stores = cls.__new__(cls)
        stores.say, stores.members, stores.wanted = say, [store], dict(cells)
        return stores

    @classmethod
    def of(cls, stores: Stores, cells: Mapping[Cell, str]) -> Stores:
        """The same stores, with only ``cells`` as the cells asked for."""
        narrowed = cls.__new__(cls)
        narrowed.say, narrowed.members, narrowed.wanted = stores.say, stores.members, dict(cells)
        return narrowed

    def records(self, cells: Mapping[Cell, str]) -> list[Record]:
        """The record that counts for each of ``cells``, ordered by key: a success if any store has one."""
        by_key: dict[str, Record] = {}
        for store in self.members:
            for record in store.records(set(cells.values()), self.say):
                if record.key not in by_key or by_key[record.key].outcome != "ok":
                    by_key[record.key] = record
        return [by_key[key] for key in sorted(by_key)]

    def holding(self, kind: str, key: str) -> Store | None:
        """The first store that has an artifact, or None."""
        return next((store for store in self.members if store.exists(kind, key)), None)

    def check_asked(self) -> None:
        """Raises BenchError when nothing was ever run on the stores."""
        if not self.wanted:
            names = ", ".join(store.address for store in self.members)
            raise BenchError(f"nothing has been run on the store {names} yet; --store DIR names another.")
