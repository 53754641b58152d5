"""How many samples of a generative model a distilled set is worth: its accuracy on the curve of larger plain sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ddbench.results.statistics.estimates import Sample
from ddbench.results.statistics.paired import NO_SPREAD, Comparison, compare

Knots = Sequence[tuple[float, float]]
"""(log of the number of samples, value), in order"""


@dataclass(frozen=True)
class Worth:
    """The number of plain samples of a class that train as well as a set of ``ipc`` images a class. A number is 0 where
    it is below the smallest measured size, and infinite where it is above the largest.

    least, most: the sizes at the ends of the curve.
    """

    ipc: int
    least: int
    most: int
    samples: float
    interval: tuple[float, float] | None
    """95 %; None where a side has a single set"""


def worth(row: Sample, curve: Mapping[int, Sample]) -> Worth | None:
    """What the set ``row`` is worth in samples of ``curve`` (number of samples of a class -> the plain sets of that
    size); None where the row or the curve (fewer than two complete sizes) has no mean.

    The mean curve is made non-decreasing (isotonic regression, each size of equal weight) and read, linearly in the
    logarithm of the size, where it first reaches the mean of the row. The interval inverts the test of each size: from
    the first size, between measured ones interpolated, at which the t interval of (plain - row) reaches up to zero, to
    the last at which it reaches down to it. So it is the hull of the sizes that are not shown to be worse or better.
    """
    sizes = sorted(size for size, sample in curve.items() if not sample.note)
    if row.note or len(sizes) < 2:
        return None
    against = [compare(row, curve[size]) for size in sizes]
    logs = [math.log(size) for size in sizes]
    means = isotonic([one.difference for one in against])
    point = math.exp(_first(list(zip(logs, means, strict=True))))
    return Worth(row.position.ipc, sizes[0], sizes[-1], point, _interval(logs, against))


def _interval(logs: Sequence[float], against: Sequence[Comparison]) -> tuple[float, float] | None:
    ends = [one.interval for one in against]
    if any(end is None for end in ends):
        return None
    lower = [(x, end.low) for x, end in zip(logs, ends, strict=True) if end]
    upper = [(x, end.high) for x, end in zip(logs, ends, strict=True) if end]
    # The last crossing of the lower ends is the first one seen from the other side.
    last = -_first([(-x, -y) for x, y in reversed(lower)])
    return math.exp(_first(upper)), math.exp(last)


def _first(knots: Knots) -> float:
    """The least x at which the line through ``knots`` is at or above zero: minus infinity where it begins above, and
    infinity where it never gets there."""
    knots = [(x, 0.0 if abs(y) < NO_SPREAD else y) for x, y in knots]
    if knots[0][1] > 0:
        return -math.inf
    for (x0, y0), (x1, y1) in pairwise(knots):
        if y0 == 0:
            return x0
        if y1 >= 0:
            return x0 + (x1 - x0) * -y0 / (y1 - y0)
    return knots[-1][0] if knots[-1][1] == 0 else math.inf


def isotonic(values: Sequence[float]) -> list[float]:
    """The non-decreasing sequence nearest to ``values`` in squares: pool adjacent violators (Barlow et al. 1972)."""
    pools: list[list[float]] = []  # sum, count
    for value in values:
        pools.append([value, 1])
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] > pools[-1][0] * pools[-2][1]:
            total, count = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += count
    return [total / count for total, count in pools for _ in range(int(count))]


@dataclass(frozen=True)
class Shifts:
    """Where a set loses against the whole train split, in two steps that add up; fractions of top-1.

    training: of the whole train split minus the largest plain set of its model: what the model lacks. sampling: of
    that set minus this one: what so few samples lack, or guidance and selection regain.
    """

    training: Comparison | None
    sampling: Comparison | None


def shifts(row: Sample, curve: Mapping[int, Sample], whole: Sample | None) -> Shifts:
    """The two shifts of ``row`` by the largest set on the curve of its own model, and ``whole``, the row of the whole
    train split. Where the largest has no mean no smaller one stands for it: its shifts would look like others'."""
    if row.note or not curve or curve[max(curve)].note:
        return Shifts(None, None)
    largest = curve[max(curve)]
    training = compare(largest, whole) if whole is not None and not whole.note else None
    return Shifts(training, compare(row, largest))
