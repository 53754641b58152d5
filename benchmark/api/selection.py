"""Which cells of a store a command is about: filters by coordinate, in the order in which they are named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ddbench.cli.options import integers, names
from ddbench.errors import BenchError, unknown

if TYPE_CHECKING:
    from ddbench.types import Cell

F = TypeVar("F", bound=Callable[..., Any])

FILTERS = {
    "datasets": "dataset",
    "methods": "method",
    "ipc": "ipc",
    "archs": "arch",
    "protocols": "protocol",
}
"""option -> the coordinate of a cell that it is about"""


def filter_options(command: F) -> F:
    """Options ``--datasets``, ``--methods``, ...: what is not given is all."""
    for option, field in reversed(FILTERS.items()):
        help_ = "Lists take commas and repeats; what is not given is all." if option == "datasets" else None
        both = (f"--{option}",) if option == field else (f"--{option}", f"--{field}")
        command = click.option(*both, option, multiple=True, help=help_)(command)
    return command


def select(cells: Mapping[Cell, str], options: Mapping[str, Sequence[str]]) -> dict[Cell, str]:
    """The ``cells`` (cell -> key) that the filters name; those of the whole train split (ipc 0) whatever ``ipc`` says.

    Methods and the rest come in the order in which they are named. Raises BenchError for a value that no cell has,
    and where nothing is left.
    """
    kept = dict(cells)
    for option, field in FILTERS.items():
        given = options.get(option) or ()
        values: Sequence[Any] | None = integers("--ipc", given) if field == "ipc" else names(given)
        if values is None:
            continue
        known = {getattr(cell, field) for cell in cells}
        for value in values:
            if value not in known:
                raise unknown(field, str(value), map(str, known), where="the runs of this store")
        wanted = [0, *values] if field == "ipc" else values
        found = [cell for cell in kept if getattr(cell, field) in wanted]
        if field != "ipc":  # tables are in the order of IPC whatever was asked for
            found.sort(key=lambda cell: wanted.index(getattr(cell, field)))
        kept = {cell: kept[cell] for cell in found}
    if cells and not kept:
        raise BenchError("no cell passes all filters at once. `bench table` without them shows what is there.")
    return kept
