"""Whether two methods differ: over distilled sets, over test images, and after many comparisons."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ddbench.results.statistics.estimates import Sample
from ddbench.results.statistics.intervals import CONFIDENCE, Interval

if TYPE_CHECKING:
    import numpy as np

ALPHA = 0.05
"""level at which a difference is shown"""
NO_SPREAD = 1e-12
"""range of fractions that differ by rounding alone"""

DIRECT = 1_000_000
"""products of a convolution that is summed directly"""

Verdict = Literal["better", "worse", "not shown", "not tested: one set"]


@dataclass(frozen=True)
class Comparison:
    """How much better method B is than method A; accuracies and differences are fractions."""

    a: tuple[float, ...]
    """accuracy of each distilled set of A; of the whole train split, of each classifier"""
    b: tuple[float, ...]
    paired: bool
    """whether both sides have the same seeds: then ``a[i]`` and ``b[i]`` are of one seed"""
    p_images: float | None = None
    """of no difference between these very models on other test images; None where they judged other images"""
    adjusted: float | None = None
    """``p`` after Holm's correction for the comparisons that were made together"""
    confidence: float = CONFIDENCE
    """of ``interval``; raised by the correction, see ``together``"""

    @property
    def difference(self) -> float:
        """Mean of B minus mean of A."""
        return statistics.fmean(self.b) - statistics.fmean(self.a)

    @property
    def sets(self) -> int:
        """Distilled sets of the side that has fewer."""
        return min(len(self.a), len(self.b))

    @cached_property
    def p_sets(self) -> float | None:
        """Of no difference between the methods on these test images; None where a side has a single set."""
        return float(t_test(self.a, self.b, self.paired)[0]) if self.sets > 1 else None

    @cached_property
    def interval(self) -> Interval | None:
        """t interval of the difference over distilled sets at ``confidence``; None where a side has a single set."""
        if self.sets < 2:
            return None
        _, low, high = t_test(self.a, self.b, self.paired, self.confidence)
        return Interval(float(low), float(high))

    @property
    def p(self) -> float | None:
        """The larger of both: a difference is shown where it holds for other sets and for other images.

        To reject only where both tests do keeps the level whatever their dependence is (intersection-union test;
        Berger, Technometrics 24, 1982). None where a side has a single set: how much a method's sets differ is then
        unknown, and the test over images, which takes these very sets as the methods, would call luck a difference.
        """
        if self.p_sets is None:
            return None
        return self.p_sets if self.p_images is None else max(self.p_sets, self.p_images)

    @property
    def verdict(self) -> Verdict:
        """What is shown of B against A at ``ALPHA``, by the corrected p where there is one."""
        p = self.p if self.adjusted is None else self.adjusted
        if p is None:
            return "not tested: one set"
        if p > ALPHA or self.difference == 0:
            return "not shown"
        return "better" if self.difference > 0 else "worse"


def compare(a: Sample, b: Sample) -> Comparison:
    """Compare two complete samples (``note`` is empty). Set with set where their seeds are the same."""
    paired = {s: set(v) for s, v in a.by_set.items()} == {s: set(v) for s, v in b.by_set.items()}
    paired = paired and set(a.draws) == set(b.draws)
    of_a, of_b = a.draws, b.draws
    seeds_of_b = of_a if paired else of_b
    return Comparison(tuple(of_a.values()), tuple(of_b[seed] for seed in seeds_of_b), paired, _over_images(a, b))


def together(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """The comparisons with p and intervals corrected for their number (Holm); untested ones are not counted.

    An interval has the confidence 1 - level with the level at which Holm tests its comparison (``holm_levels``), so it
    excludes 0 wherever a difference is shown, and where none is shown it holds 0 unless the test over images alone
    stands against it. Of the intervals of shown differences at most 5 % miss the true one on average: Holm's
    levels are no larger than those of Benjamini & Yekutieli (Journal of the American Statistical Association 100,
    2005), who prove it for independent comparisons. That all intervals hold at once is not claimed: that takes
    Bonferroni's, which are wider and can hold 0 where Holm's test shows a difference.
    """
    members = list(comparisons)
    tested = [i for i, one in enumerate(members) if one.p is not None]
    p = [one.p for one in members if one.p is not None]
    corrected = dict(zip(tested, zip(holm(p), holm_levels(p), strict=True), strict=True))
    return [
        replace(one, adjusted=corrected[i][0], confidence=1 - corrected[i][1]) if i in corrected else one
        for i, one in enumerate(members)
    ]


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected so that the chance of any false rejection is at most the level, whatever their dependence.

    Holm, Scandinavian Journal of Statistics 6, 1979: the i-th smallest of m times m - i + 1, made non-decreasing.
    """
    adjusted, highest = [0.0] * len(p), 0.0
    for i, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - i) * p[index]))
        adjusted[index] = highest
    return adjusted


def holm_levels(p: Sequence[float], alpha: float = ALPHA) -> list[float]:
    """The level at which Holm tests each of m hypotheses: alpha / m for the smallest p, alpha / (m - 1) for the next.

    It stops at the first that is not rejected; those behind it keep that level. ``p <= level`` exactly where
    ``holm(p) <= alpha``.
    """
    levels, remaining = [0.0] * len(p), len(p)
    for index in sorted(range(len(p)), key=p.__getitem__):
        levels[index] = alpha / remaining
        if p[index] <= levels[index]:
            remaining -= 1
    return levels


def sign_flip(differences: Sequence[int] | np.ndarray) -> float:
    """The exact two-sided p of Fisher's randomisation test that whole numbers are as often above as below zero.

    Under the null each difference has either sign with chance 1/2. For differences of -1, 0, 1 it is McNemar's exact
    test. The distribution of the sum is convolved from binomials, one for each magnitude (Pagano & Tritchler, Journal
    of the American Statistical Association 78, 1983).
    """
    import numpy as np

    values = np.asarray(differences)
    magnitudes, counts = np.unique(np.abs(values[values != 0]), return_counts=True)
    chances = np.ones(1)  # of T = 0, 1, ...: the sum of the magnitudes whose sign is positive
    for magnitude, count in zip(magnitudes.tolist(), counts.tolist(), strict=True):
        one = np.zeros(magnitude * count + 1)
        logs = np.array([math.lgamma(k) for k in range(1, count + 2)])  # of the factorials 0!, 1!, ..., count!
        one[::magnitude] = np.exp(logs[-1] - logs - logs[::-1] - count * math.log(2))
        chances = _convolved(chances, one)
    positive = int(values[values > 0].sum())
    least = max(positive, len(chances) - 1 - positive)
    return float(min(1.0, max(0.0, 2 * chances[least:].sum())))


def _convolved(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The convolution; long ones by FFT, whose package takes as long to import as short ones take a hundred times."""
    import numpy as np

    if len(a) * len(b) <= DIRECT:
        return np.convolve(a, b)
    from scipy.signal import convolve

    return np.asarray(convolve(a, b))


def t_test(a: Any, b: Any, paired: bool, confidence: float = CONFIDENCE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """p and interval ends (low, high) of the mean of ``b`` minus the mean of ``a``, over the last axis.

    ``a``, ``b``: (..., sets) accuracies, at least two sets each; results have the leading shape. Paired, or Welch's
    test, which assumes no equal variances (Biometrika 34, 1947). Without any spread a difference is as sure as it gets
    (p = 0, an interval of no width), and the test over images decides.
    """
    import numpy as np

    from ddbench.results.statistics.student import difference_of, mean_of

    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):  # sides whose sets are all equal
        mean = mean_of(b - a) if paired else difference_of(b, a)
        p_of_t = mean.other_than_zero()
        low, high = mean.interval(confidence)
    difference = b.mean(-1) - a.mean(-1)
    parts = (b - a,) if paired else (a, b)
    constant = np.all([np.ptp(part, axis=-1) < NO_SPREAD for part in parts], axis=0)
    p = np.where(constant, np.where(np.abs(difference) < NO_SPREAD, 1.0, 0.0), p_of_t)
    return p, np.where(constant, difference, low), np.where(constant, difference, high)


def _over_images(a: Sample, b: Sample) -> float | None:
    """``sign_flip`` of how many of the models of each side have an image right; None where images differ."""
    if a.right is None or b.right is None or a.judged != b.judged:
        return None
    scale = math.gcd(len(a.good), len(b.good))
    return sign_flip(b.right * (len(a.good) // scale) - a.right * (len(b.good) // scale))
