"""Intervals of a mean over few distilled sets, and the components of its spread."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """Ends as fractions, within 0 and 1 for an accuracy."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Components:
    """Variances (of fractions) of a random-effects model; None where the design does not identify it."""

    sets: float | None
    """between distilled sets"""
    classifiers: float | None
    """between seeds of classifiers, whatever the set, where all sets share them; else between classifiers of a set"""
    rest: float | None
    """of a classifier on a set, beyond both; None where sets do not share the seeds of their classifiers"""


def t_interval(mean: float, sd: float, n: int, confidence: float = CONFIDENCE) -> Interval:
    """mean ± t(n - 1) · sd / √n, cut off at 0 and 1; n >= 2.

    With the averages of n distilled sets it covers what the method would give on average over further sets, judged by
    classifiers of the same seeds on the same images, were these averages normally distributed ("Student", Biometrika 6,
    1908). Classifiers of one seed begin with the same weights in every set: what that seed is worth in all of them is
    not in the interval. It drops out where two methods are compared that were judged by the same seeds.
    """
    half = t_quantile(n - 1, confidence) * sd / n**0.5
    return Interval(max(mean - half, 0.0), min(mean + half, 1.0))


@lru_cache
def t_quantile(df: float, confidence: float = CONFIDENCE) -> float:
    """The quantile of Student's t that encloses ``confidence`` from both sides."""
    from ddbench.results.statistics.student import quantile  # numpy with it

    return float(quantile((1 + confidence) / 2, df))


def components(by_set: Mapping[int, Mapping[int, float]]) -> Components:
    """Variance components by the method of moments; one that comes out negative is 0, as is usual.

    ``by_set``: accuracy by seed of the set and seed of the classifier. Where all sets share the seeds of their
    classifiers the two are crossed: accuracy = mean + set + classifier + rest (Searle, Casella & McCulloch, Variance
    Components, 1992, section 4.4, one value a cell). Otherwise classifiers are nested in sets (section 3.6).
    """
    rows = [list(values.values()) for values in by_set.values()]
    seeds = {frozenset(values) for values in by_set.values()}
    if len(seeds) == 1 and len(rows) > 1 and len(rows[0]) > 1:
        return _crossed([[values[seed] for seed in sorted(values)] for values in by_set.values()])
    return _nested(rows)


def _crossed(rows: Sequence[Sequence[float]]) -> Components:
    """E[MS sets] = rest + b sets, E[MS classifiers] = rest + a classifiers, for a sets and b classifiers."""
    a, b = len(rows), len(rows[0])
    of_sets = [statistics.fmean(row) for row in rows]
    of_classifiers = [statistics.fmean(column) for column in zip(*rows, strict=True)]
    grand = statistics.fmean(of_sets)
    left = (x - of_sets[i] - of_classifiers[j] + grand for i, row in enumerate(rows) for j, x in enumerate(row))
    rest = sum(x**2 for x in left) / ((a - 1) * (b - 1))
    sets = statistics.variance(of_sets) - rest / b
    classifiers = statistics.variance(of_classifiers) - rest / a
    return Components(sets=max(sets, 0.0), classifiers=max(classifiers, 0.0), rest=rest)


def _nested(sets: Sequence[Sequence[float]]) -> Components:
    """With a sets of n_i classifiers, N in all: E[MS within] = classifiers, E[MS between] = classifiers + n0 sets.

    n0 = (N - sum of n_i^2 / N) / (a - 1).
    """
    a, total = len(sets), sum(map(len, sets))
    if total == a:
        return Components(sets=None, classifiers=None, rest=None)
    averages = [statistics.fmean(values) for values in sets]
    within = sum((x - m) ** 2 for values, m in zip(sets, averages, strict=True) for x in values) / (total - a)
    if a < 2:
        return Components(sets=None, classifiers=within, rest=None)
    grand = sum(len(values) * m for values, m in zip(sets, averages, strict=True)) / total
    between = sum(len(values) * (m - grand) ** 2 for values, m in zip(sets, averages, strict=True)) / (a - 1)
    n0 = (total - sum(len(values) ** 2 for values in sets) / total) / (a - 1)
    return Components(sets=max((between - within) / n0, 0.0), classifiers=within, rest=None)
