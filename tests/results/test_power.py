"""How many sets show a difference, against the textbook's numbers and a simulation."""

import numpy as np
import pytest
from scipy import stats

from ddbench.results.statistics.paired import Comparison
from ddbench.results.statistics.power import power, sets_needed, spread_of_differences
from tests.results.test_statistics import SINGLE, against


@pytest.mark.parametrize(
    ("d", "paired", "sets"),
    [(0.2, True, 199), (0.5, True, 34), (0.8, True, 15), (0.2, False, 394), (0.5, False, 64), (0.8, False, 26)],
)
def test_sets_needed_are_those_of_the_textbook(d, paired, sets):
    """Effect sizes d of Cohen, 80 % power at 5 %, two-sided; unpaired, a difference has twice the variance."""
    assert sets_needed(d, 1.0 if paired else 2**0.5, paired=paired) == sets


def test_power_is_what_a_simulation_has():
    random = np.random.default_rng(7)
    differences = random.normal(0.03, 0.02, (20_000, 4))
    shown = stats.ttest_1samp(differences, 0, axis=1).pvalue <= 0.01
    assert power(0.03, 0.02, 4, level=0.01) == pytest.approx(shown.mean(), abs=0.01)
    assert sets_needed(0.0, 0.02) is None and sets_needed(1e-5, 0.5) is None and sets_needed(1.0, 0.0) == 2


def test_the_spread_of_differences_is_pooled():
    pairs = [against(0.0, 0.01, 0.02), against(0.0, 0.03, 0.06), SINGLE]
    assert spread_of_differences(pairs) == pytest.approx(((0.01**2 + 0.03**2) / 2) ** 0.5)
    apart = Comparison((0.5, 0.52), (0.4, 0.44), paired=False)
    assert spread_of_differences([apart]) == pytest.approx((0.0002 + 0.0008) ** 0.5)
    assert spread_of_differences([SINGLE]) is None
