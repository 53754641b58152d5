"""Balanced accuracy: every class counts the same, however many of the judged images it has."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ddbench.types import Record

UNEQUAL = 1.5
"""classes are unequal where the largest has more than so many times the judged images of the smallest"""


@dataclass(frozen=True)
class Balanced:
    """The mean over classes of their accuracies at the last epoch (the mean recall; Brodersen et al. 2010), as
    fractions. mean, sd: over distilled sets, each first averaged over its classifiers, as of top-1."""

    mean: float
    sd: float | None
    lowest: float
    """accuracy of the class that is recognised least, each averaged over all cells"""
    fewest: int
    """judged images of the smallest class"""
    most: int
    """judged images of the largest class"""

    @property
    def unequal(self) -> bool:
        return self.most > UNEQUAL * self.fewest


def balanced(records: Sequence[Record]) -> Balanced | None:
    """Of the cells of a position; None where a record does not hold its classes, or they are not the same."""
    counts = {tuple(judged for _, judged in record.by_class) for record in records}
    if len(counts) != 1 or not (sizes := counts.pop()):
        return None
    recalls = [[right / judged for right, judged in record.by_class] for record in records]
    by_set: dict[int, list[float]] = {}
    for record, recall in zip(records, recalls, strict=True):
        by_set.setdefault(record.cell.seed, []).append(statistics.fmean(recall))
    sets = [statistics.fmean(values) for values in by_set.values()]
    return Balanced(
        mean=statistics.fmean(sets),
        sd=statistics.stdev(sets) if len(sets) > 1 else None,
        lowest=min(statistics.fmean(column) for column in zip(*recalls, strict=True)),
        fewest=min(sizes),
        most=max(sizes),
    )
