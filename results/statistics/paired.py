"""Whether two methods differ: over distilled sets, over test images, and after many comparisons."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ddbench.results.statistics.estimates import Sample
from ddbench.results.statistics.intervals import Interval, t_quantile

if TYPE_CHECKING:
    import numpy as np

ALPHA = 0.05
"""level at which a difference counts"""


@dataclass(frozen=True)
class Comparison:
    """How much better ``b`` is than ``a``; accuracies and differences are fractions."""

    difference: float
    """mean of b minus mean of a"""
    interval: Interval | None
    """95 % t interval of the difference over distilled sets; None where a side has a single set"""
    paired: bool
    """whether both have the same seeds, so that set is compared with set"""
    p_sets: float | None
    """of no difference between the methods, on these test images; None where a side has a single set"""
    p_images: float | None
    """of no difference between these very models, on other test images; None where they judged other images"""
    adjusted: float | None = None
    """``p`` after Holm's correction for the comparisons that were made together"""

    @property
    def p(self) -> float | None:
        """The larger of both: a difference counts where it holds for other sets and for other images.

        To reject only where both tests do keeps the level whatever their dependence is (intersection-union test;
        Berger, Technometrics 24, 1982).
        """
        known = [p for p in (self.p_sets, self.p_images) if p is not None]
        return max(known) if known else None

    @property
    def verdict(self) -> str:
        """``better``, ``worse`` or ``no difference``, by the corrected p where there is one; ``untested``."""
        p = self.p if self.adjusted is None else self.adjusted
        if p is None:
            return "untested"
        if p > ALPHA or self.difference == 0:
            return "no difference"
        return "better" if self.difference > 0 else "worse"


def compare(a: Sample, b: Sample) -> Comparison:
    """Compare two complete samples (``note`` is empty). Set with set where their seeds are the same."""
    paired = {s: set(v) for s, v in a.by_set.items()} == {s: set(v) for s, v in b.by_set.items()}
    interval, p_sets = _over_sets(a, b, paired)
    difference = statistics.fmean(b.set_means.values()) - statistics.fmean(a.set_means.values())
    return Comparison(difference, interval, paired, p_sets, _over_images(a, b))


def together(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """The comparisons with their p corrected for their number; untested ones are not counted."""
    found = list(comparisons)
    tested = [i for i, one in enumerate(found) if one.p is not None]
    corrected = dict(zip(tested, holm([p for one in found if (p := one.p) is not None]), strict=True))
    return [replace(one, adjusted=corrected.get(i)) for i, one in enumerate(found)]


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected so that the chance of any false rejection is at most the level, whatever their dependence.

    Holm, Scandinavian Journal of Statistics 6, 1979: the i-th smallest of m times m - i + 1, made non-decreasing.
    """
    adjusted, highest = [0.0] * len(p), 0.0
    for i, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - i) * p[index]))
        adjusted[index] = highest
    return adjusted


def sign_flip(differences: Sequence[int] | np.ndarray) -> float:
    """The exact two-sided p of Fisher's randomisation test that whole numbers are as often above as below zero.

    Under the null each difference has either sign with chance 1/2. For differences of -1, 0, 1 it is McNemar's exact
    test. The distribution of the sum is convolved from binomials, one for each magnitude (Pagano & Tritchler, Journal
    of the American Statistical Association 78, 1983).
    """
    import numpy as np
    from scipy.signal import convolve
    from scipy.stats import binom

    found = np.asarray(differences)
    magnitudes, counts = np.unique(np.abs(found[found != 0]), return_counts=True)
    chances = np.ones(1)  # of T = 0, 1, ...: the sum of the magnitudes whose sign is positive
    for magnitude, count in zip(magnitudes.tolist(), counts.tolist(), strict=True):
        one = np.zeros(magnitude * count + 1)
        one[::magnitude] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = convolve(chances, one)
    positive = int(found[found > 0].sum())
    least = max(positive, len(chances) - 1 - positive)
    return float(min(1.0, max(0.0, 2 * chances[least:].sum())))


def _over_sets(a: Sample, b: Sample, paired: bool) -> tuple[Interval | None, float | None]:
    """The 95 % interval of the mean difference and the p of the paired t test, or of Welch's where seeds differ."""
    if paired:
        differences = [b.set_means[seed] - a.set_means[seed] for seed in a.set_means]
        if len(differences) < 2:
            return None, None
        error = statistics.stdev(differences) / len(differences) ** 0.5
        mean, df = statistics.fmean(differences), float(len(differences) - 1)
    else:
        sides = [list(sample.set_means.values()) for sample in (a, b)]
        if min(map(len, sides)) < 2:
            return None, None
        parts = [statistics.variance(side) / len(side) for side in sides]
        error, mean = sum(parts) ** 0.5, statistics.fmean(sides[1]) - statistics.fmean(sides[0])
        # Welch (Biometrika 34, 1947) and Satterthwaite's degrees of freedom.
        below = sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
        df = sum(parts) ** 2 / below if below else 1.0
    half = t_quantile(df) * error
    return Interval(mean - half, mean + half), _t_test(mean, error, df)


def _t_test(mean: float, error: float, df: float) -> float:
    """Two-sided. Without any spread a difference is as sure as it gets: the test over images then decides."""
    from scipy.stats import t

    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * t.sf(abs(mean) / error, df))


def _over_images(a: Sample, b: Sample) -> float | None:
    """``sign_flip`` of how many of the models of each side have an image right; None where images differ."""
    if a.right is None or b.right is None or a.judged != b.judged:
        return None
    scale = math.gcd(len(a.good), len(b.good))
    return sign_flip(b.right * (len(a.good) // scale) - a.right * (len(b.good) // scale))
