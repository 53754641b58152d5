"""How many distilled sets it takes to show a difference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ddbench.results.statistics.paired import ALPHA, NO_SPREAD, Comparison

POWER = 0.8
"""chance of showing a difference that is there, as is usual (Cohen, Statistical Power Analysis, 1988)"""
MOST_SETS = 1000
"""larger numbers are not computed"""


def power(difference: float, sd: float, sets: int, level: float = ALPHA, paired: bool = True) -> float:
    """The chance that a two-sided t test at ``level`` shows a true ``difference``, and its sign.

    ``sd``: standard deviation of a paired difference; unpaired, the root of the two sides' variances added, with
    ``sets`` on each side. The statistic is noncentral t with sqrt(sets) * difference / sd.
    """
    from ddbench.results.statistics.student import quantile, shifted_tail

    df = (sets - 1) * (1 if paired else 2)
    return shifted_tail(float(quantile(1 - level / 2, df)), df, abs(difference) / sd * sets**0.5)


def sets_needed(difference: float, sd: float, level: float = ALPHA, paired: bool = True) -> int | None:
    """The smallest number of sets a side, from 2 on, with ``POWER``; None where ``MOST_SETS`` do not do."""
    low, high = 2, MOST_SETS
    if difference and sd < NO_SPREAD:
        return low
    if not difference or power(difference, sd, high, level, paired) < POWER:
        return None
    while low < high:  # power grows with the number of sets
        middle = (low + high) // 2
        low, high = (low, middle) if power(difference, sd, middle, level, paired) >= POWER else (middle + 1, high)
    return low


@dataclass(frozen=True)
class Separation:
    """The distilled sets that would show a difference of this size, given the spread that was measured."""

    difference: float
    """a fraction, above zero"""
    sets: int | None
    """None: more than ``MOST_SETS``"""


def spread_of_differences(comparisons: Iterable[Comparison]) -> float | None:
    """Standard deviation of the difference of two sets, pooled over comparisons; None where all have a single set.

    Of paired sets by their differences, else by the two sides' variances added.
    """
    import numpy as np

    squares, weights = [], []
    for one in comparisons:
        if one.sets < 2:
            continue
        a, b = np.array(one.a), np.array(one.b)
        squares.append(float((b - a).var(ddof=1) if one.paired else a.var(ddof=1) + b.var(ddof=1)))
        weights.append(one.sets - 1)
    return float(np.average(squares, weights=weights)) ** 0.5 if squares else None
