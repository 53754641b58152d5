"""Ranks of methods, with intervals."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import combinations

from ddbench.results.statistics.estimates import Sample
from ddbench.results.statistics.paired import Comparison, compare, together

Pairs = Mapping[tuple[str, str], Comparison]
"""(method a, method b) -> their comparison"""


def ranks(means: Sequence[float]) -> list[float]:
    """1 for the highest; equal numbers (to nine digits: sums differ in their last bits) share their average rank."""
    rounded = [round(mean, 9) for mean in means]
    return [sum(other > own for other in rounded) + (rounded.count(own) + 1) / 2 for own in rounded]


def pairwise(row: Mapping[str, Sample]) -> Pairs:
    """Every pair of the methods of a row compared, not corrected. ``row``: method -> its complete sample."""
    return {(a, b): compare(row[a], row[b]) for a, b in combinations(row, 2)}


def rank_intervals(methods: Sequence[str], rows: Sequence[Pairs]) -> dict[str, tuple[float, float] | None]:
    """95 % intervals of the methods' mean ranks over ``rows``; None for a method that was tested against no other.

    In a row a method's rank is at least 1 + the number of methods that are shown to be better, and at most the number
    of methods less those that are shown to be worse, after Holm's correction for all comparisons of this method in all
    rows. So the interval of a method holds its rank with 95 %; the intervals of all methods do not at once (marginal
    confidence sets of Mogstad, Romano, Shaikh & Wilhelm, Inference for Ranks, Review of Economic Studies 91, 2024, with
    the tests of ``paired`` in place of their bootstrap). Comparisons that are not tested widen it.
    """
    return {method: _interval(method, len(methods), rows) for method in methods}


def _interval(method: str, n: int, rows: Sequence[Pairs]) -> tuple[float, float] | None:
    own = [(i, pair[0] == method, one) for i, row in enumerate(rows) for pair, one in row.items() if method in pair]
    if own and all(comparison.p is None for *_, comparison in own):
        return None
    better, worse = [0] * len(rows), [0] * len(rows)
    for (i, first, _), comparison in zip(own, together(one for *_, one in own), strict=True):
        if comparison.verdict in ("better", "worse"):
            other_wins = (comparison.verdict == "better") == first
            (better if other_wins else worse)[i] += 1
    return statistics.fmean(1 + count for count in better), statistics.fmean(n - count for count in worse)
