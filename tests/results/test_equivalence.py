"""What counts as reproduced: two one-sided tests against scipy's, and that noise is never rewarded."""

import numpy as np
import pytest
from scipy import stats

from ddbench.results.statistics.equivalence import equivalence


def test_reproduced_is_an_equivalence_within_the_margin():
    near = equivalence([0.36, 0.37, 0.38], 0.37, margin=0.02)
    tests = [stats.ttest_1samp([0.36, 0.37, 0.38], at, alternative=side).pvalue
             for at, side in ((0.35, "greater"), (0.39, "less"))]  # fmt: skip
    assert near.p_within == pytest.approx(max(tests)) and near.verdict == "reproduced"
    interval = stats.ttest_1samp([-0.01, 0, 0.01], 0).confidence_interval(0.9)
    assert (near.interval.low, near.interval.high) == pytest.approx((interval.low, interval.high))
    assert (near.interval.low > -0.02) and (near.interval.high < 0.02)


def spread(mean, sd):
    return [mean - sd, mean, mean + sd]


@pytest.mark.parametrize(
    ("values", "number", "margin", "verdict"),
    [
        (spread(0.25, 0.05), 0.37, 0.02, "not shown"),  # 12 points off: containment in a wide interval is no agreement
        (spread(0.25, 0.01), 0.37, 0.02, "differs"),
        (spread(0.34, 0.01), 0.35, 0.02, "not shown"),
        (spread(0.34, 0.01), 0.35, 0.03, "reproduced"),
        (spread(0.34, 0.001), 0.35, 0.02, "reproduced"),
        (spread(0.34, 0.001), 0.37, 0.02, "differs"),
        ([0.34, 0.34, 0.34], 0.35, 0.02, "reproduced"),
        ([0.34, 0.34, 0.34], 0.37, 0.02, "differs"),
        ([0.35, 0.35], 0.37, 0.02, "not shown"),  # at the margin
    ],
)
def test_verdicts_of_equivalence(values, number, margin, verdict, recwarn):
    assert equivalence(values, number, margin).verdict == verdict
    assert not recwarn


def test_more_spread_never_makes_a_number_reproduced():
    for off in np.linspace(0, 0.06, 13):
        p = [equivalence(spread(0.5 + off, sd), 0.5).p_within for sd in (0.001, 0.01, 0.03, 0.1)]
        if off < 0.0199:
            assert p == sorted(p)
        assert off < 0.0199 or min(p) >= 0.5 - 1e-9


def test_one_value_is_not_tested_for_equivalence():
    assert equivalence([0.5], 0.5) is None
