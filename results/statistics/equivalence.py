"""Whether a measurement agrees with a given number to within a margin: two one-sided t tests."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ddbench.results.statistics.intervals import Interval
from ddbench.results.statistics.paired import ALPHA, NO_SPREAD

if TYPE_CHECKING:
    import numpy as np

MARGIN = 0.02
"""a fraction. Neighbouring methods in a row of the published tables lie 2 points apart (median), and published standard
deviations are 0.8 points (median): with a wider margin a method could not be told from its neighbour, with a much
narrower one a paper would not agree with itself"""

Agreement = Literal["reproduced", "differs", "not shown"]


@dataclass(frozen=True)
class Equivalence:
    """How a mean over distilled sets stands to a number that is taken as it is given; all are fractions."""

    difference: float
    """measured mean minus the number"""
    margin: float
    interval: Interval
    """90 % t interval of ``difference``: within the margin exactly where ``p_within`` is at most 0.05"""
    p_within: float
    """of a true difference of ``margin`` or more: the larger p of the two one-sided t tests"""
    p_beyond: float
    """of a true difference of ``margin`` or less: twice the smaller p of the opposite tests"""

    @property
    def verdict(self) -> Agreement:
        """``reproduced`` where the difference is shown to be within the margin, ``differs`` where it is shown to be
        beyond it. A wide spread shows neither."""
        if self.p_within <= ALPHA:
            return "reproduced"
        return "differs" if self.p_beyond <= ALPHA else "not shown"


def equivalence(values: Sequence[float], number: float, margin: float = MARGIN) -> Equivalence | None:
    """The accuracies of distilled sets against ``number``; None for fewer than two.

    Schuirmann's two one-sided tests (Journal of Pharmacokinetics and Biopharmaceutics 15, 1987). Unlike a test of no
    difference they reward certainty: with a larger spread over sets the same mean is never called equivalent sooner.
    """
    if len(values) < 2:
        return None
    p_within, p_beyond, low, high = (float(one) for one in two_one_sided(values, number, margin))
    return Equivalence(statistics.fmean(values) - number, margin, Interval(low, high), p_within, p_beyond)


def two_one_sided(values: Any, number: float, margin: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(p_within, p_beyond, low, high) of ``Equivalence``, over the last axis of ``values`` (..., sets)."""
    import numpy as np
    from scipy.stats import ttest_1samp

    differences = np.asarray(values, dtype=float) - number
    mean = differences.mean(-1)
    constant = np.ptp(differences, axis=-1) < NO_SPREAD

    def p(bound: float, alternative: str) -> np.ndarray:
        """Of the mean being at most (``greater``) or at least (``less``) the bound."""
        result = ttest_1samp(differences, bound, axis=-1, alternative=alternative)
        shown = mean > bound + NO_SPREAD if alternative == "greater" else mean < bound - NO_SPREAD
        return np.where(constant, np.where(shown, 0.0, 1.0), result.pvalue)

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)  # sets that are all equal
        within = np.maximum(p(-margin, "greater"), p(margin, "less"))
        beyond = np.minimum(1.0, 2 * np.minimum(p(margin, "greater"), p(-margin, "less")))
        low, high = ttest_1samp(differences, 0.0, axis=-1).confidence_interval(1 - 2 * ALPHA)
    return within, beyond, np.where(constant, mean, low), np.where(constant, mean, high)
