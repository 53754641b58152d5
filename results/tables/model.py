"""A table as plain values: the result of every layout and the input of every format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

DASH = "–"
"""what stands where there is no number"""

Align = Literal["l", "r"]
Mark = Literal["", "best", "second"]


@dataclass(frozen=True)
class Column:
    """``paper``: the title in LaTeX, where it is another; ``with_previous``: a table that is cut to fit a terminal is
    not cut before it."""

    title: str
    align: Align = "r"
    paper: str = ""
    with_previous: bool = False


@dataclass(frozen=True)
class Item:
    """The text in a row and column."""

    text: str
    mark: Mark = ""


@dataclass(frozen=True)
class Table:
    """``data()`` are the numbers behind it, a flat object for each, fractions unless a name says otherwise."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Item, ...], ...]
    caption: str
    data: Callable[[], Sequence[dict[str, Any]]] = field(default=tuple, repr=False)
    stub: int = 0
    """number of leading columns that say where a row belongs; rows that agree in them are a group"""

    def table(self) -> Table:
        return self

    def starts_group(self, i: int, depth: int | None = None) -> bool:
        """Whether row ``i`` differs from the one above in its first ``depth`` columns (all of the stub by default)."""
        n = self.stub if depth is None else depth
        return i > 0 and self.rows[i][:n] != self.rows[i - 1][:n]


class Tabular(Protocol):
    """Anything that can be shown as a table."""

    def table(self) -> Table: ...


def items(*texts: str) -> tuple[Item, ...]:
    return tuple(map(Item, texts))


def told_columns(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> tuple[list[Column], list[list[str]]]:
    """``columns`` and the texts of ``rows`` without those that are a dash in every row."""
    kept = [i for i in range(len(columns)) if any(row[i] != DASH for row in rows)]
    return [columns[i] for i in kept], [[row[i] for i in kept] for row in rows]
