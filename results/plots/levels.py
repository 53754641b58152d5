"""Accuracies with the intervals that figures show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ddbench.results.plots.series import Level
from ddbench.results.statistics import Estimate, Position, Select, estimate
from ddbench.types import Cell, Record


def level(value: Estimate) -> Level | None:
    """The mean with its 95 % t interval (``Estimate.interval`` says of what); None where there is no mean."""
    if value.mean is None:
        return None
    interval = value.interval()
    return Level(value.mean, interval.low, interval.high) if interval else Level(value.mean)


def levels(wanted: Mapping[Cell, str], records: Iterable[Record], select: Select) -> dict[Position, Level | None]:
    """The level at every position of ``wanted``."""
    return {position: level(value) for position, value in estimate(wanted, records, select).items()}
