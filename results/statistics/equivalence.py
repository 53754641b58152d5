"""Whether a measurement agrees with a given number to within a margin: two one-sided t tests."""

from __future__ import annotations

import statistics
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

    from ddbench.results.statistics.student import mean_of

    differences = np.asarray(values, dtype=float) - number
    constant = np.ptp(differences, axis=-1) < NO_SPREAD
    mean = mean_of(differences)

    def p(bound: float, alternative: str) -> np.ndarray:
        """Of the mean being at most (``above``) or at least (``below``) the bound."""
        above = alternative == "above"
        shown = mean.value > bound + NO_SPREAD if above else mean.value < bound - NO_SPREAD
        return np.where(constant, np.where(shown, 0.0, 1.0), mean.above(bound) if above else mean.below(bound))

    with np.errstate(invalid="ignore", divide="ignore"):  # sets that are all equal
        within = np.maximum(p(-margin, "above"), p(margin, "below"))
        beyond = np.minimum(1.0, 2 * np.minimum(p(margin, "above"), p(-margin, "below")))
        low, high = mean.interval(1 - 2 * ALPHA)
    return within, beyond, np.where(constant, mean.value, low), np.where(constant, mean.value, high)
