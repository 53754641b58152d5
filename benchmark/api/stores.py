"""Several stores read as one. Nothing in them is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.cli.table import wanted

if TYPE_CHECKING:
    from ddbench.store.folder import Store
    from ddbench.types import Cell, Record


class Several:
    """Of a cell that several stores hold, the store named last says which configuration is meant, and it is said."""

    def __init__(self, folders: Sequence[Path | str], say: Callable[[str], None]) -> None:
        """Raises BenchError when a folder is no store."""
        from ddbench.store.opening import open_store

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

    def records(self, cells: Mapping[Cell, str]) -> list[Record]:
        """The record that counts for each of ``cells``, from any of the stores: a success where one has it."""
        found: dict[str, Record] = {}
        for store in self.members:
            for record in store.records(set(cells.values()), self.say):
                if record.key not in found or found[record.key].outcome != "ok":
                    found[record.key] = record
        return [found[key] for key in sorted(found)]
