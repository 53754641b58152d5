"""The rows of a table of worth: a set, the plain sets that it is counted in, and the whole train split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ddbench.results.statistics import Position, Sample
from ddbench.results.statistics.worth import Shifts, Worth, shifts, worth

OWN = "by definition"
"""of a plain row, which is worth itself"""


@dataclass(frozen=True)
class Behind:
    """Names of the rows that merely draw from the model of a method, and from the prior before fine-tuning."""

    model: str
    prior: str


@dataclass(frozen=True)
class WorthRow:
    """A row of the table, with all that it is read from."""

    position: Position
    behind: Behind
    row: Sample
    model: Mapping[int, Sample]
    """the plain sets of its model by their size: its own multiples alone, whichever other rows are asked for"""
    prior: Mapping[int, Sample]
    whole: Sample | None

    @cached_property
    def of_model(self) -> Worth | None:
        return worth(self.row, self.model)

    @cached_property
    def of_prior(self) -> Worth | None:
        return worth(self.row, self.prior)

    @cached_property
    def lost(self) -> Shifts:
        return shifts(self.row, self.model, self.whole)

    def is_own(self, name: str) -> bool:
        """Whether the row is itself the plain row ``name``: then it is worth itself, and nothing was measured."""
        return name == self.position.method and not self.row.note
