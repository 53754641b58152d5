"""What a set is worth in plain samples: reading the curve, its ends, its interval, and the two shifts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from ddbench.results.statistics.worth import isotonic, shifts, worth
from ddbench.results.tables.captions import CaptionFacts
from ddbench.results.tables.worth import Behind, worth_tables
from tests.support.records import cell, record, sample, sampled


def rows(method, ipc, accuracies):
    return [record(cell(method, seed, ipc=ipc), top1) for seed, top1 in enumerate(accuracies)]


def curve(by_size, wiggle=(0.0, 0.0, 0.0)):
    """Plain sets whose mean at a size is as given, of three sets that differ by ``wiggle`` from it."""
    return {n: sample(rows("dit", n, [mean + w for w in wiggle])) for n, mean in by_size.items()}


LINE = {1: 0.2, 10: 0.4, 100: 0.6}
"""accuracy 0.2 + 0.2 log10 n"""


@pytest.mark.parametrize("n", [1, 2, 10, 31, 100])
def test_a_set_is_worth_the_size_whose_plain_set_trains_as_well(n):
    top1 = 0.2 + 0.2 * math.log10(n)
    found = worth(sample(rows("cgs", 5, [top1, top1, top1])), curve(LINE))
    assert found.samples == pytest.approx(n)
    assert found.interval == pytest.approx((n, n)), "without spread the interval is a point"


def test_beyond_the_measured_sizes_no_number_is_made_up():
    above = worth(sample(rows("cgs", 1, [0.7, 0.7, 0.7])), curve(LINE))
    below = worth(sample(rows("cgs", 1, [0.1, 0.1, 0.1])), curve(LINE))
    assert (above.samples, above.interval) == (math.inf, (math.inf, math.inf))
    assert (below.samples, below.interval) == (0, (0, 0))


def test_the_interval_is_where_the_t_interval_of_the_difference_meets_zero():
    """Half of the interval of the paired difference is the same h at each size, so that it ends at n 10^(-+h / 0.2)."""
    spread = [-0.01, 0.0, 0.01]
    row = sample(rows("cgs", 1, [0.4 + w for w in spread]))
    half = 4.302652729911275 * 0.02 / 3**0.5  # t(2) of differences -0.02, 0, 0.02
    found = worth(row, curve(LINE, spread[::-1]))
    assert found.interval == pytest.approx((10 ** (1 - half / 0.2), 10 ** (1 + half / 0.2)))
    assert found.interval[0] < found.samples < found.interval[1]


def test_a_single_set_has_no_interval_and_an_incomplete_one_no_worth():
    alone = {n: sample(rows("dit", n, [mean])) for n, mean in LINE.items()}
    assert worth(sample(rows("cgs", 1, [0.4])), alone).interval is None
    failed = sample([*rows("cgs", 1, [0.4]), record(cell("cgs", 1), 0, outcome="failed")])
    assert worth(failed, curve(LINE)) is None
    assert worth(sample(rows("cgs", 1, [0.4])), {1: alone[1]}) is None, "one size is no curve"


def test_a_curve_that_falls_is_read_where_its_monotone_fit_first_reaches_the_set():
    falling = curve({1: 0.2, 10: 0.5, 100: 0.4, 1000: 0.7})  # the fit is 0.45 at 10 and 100
    assert worth(sample(rows("cgs", 1, [0.45, 0.45, 0.45])), falling).samples == pytest.approx(10)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=12))
def test_the_monotone_fit_is_that_of_scikit_learn(values):
    expected = IsotonicRegression().fit_transform(np.arange(len(values)), values)
    np.testing.assert_allclose(isotonic(values), expected, atol=1e-9)


def test_both_shifts_add_up_to_what_the_set_lacks():
    row, whole = sample(rows("cgs", 1, [0.3, 0.4, 0.5])), sample(rows("full", 0, [0.9, 0.9, 0.9]))
    lost = shifts(row, curve(LINE), whole)
    assert lost.training.difference == pytest.approx(0.3)
    assert lost.sampling.difference == pytest.approx(0.2)
    assert shifts(row, curve(LINE), None).training is None


def test_the_table_shows_multiples_of_the_sets_own_size():
    records = [one for n, mean in LINE.items() for one in rows("dit", n, [mean] * 3)]
    records += rows("cgs", 10, [0.5] * 3) + rows("rsm_cgs", 10, [0.7] * 3)
    behind = {"cgs": Behind("dit", "dit"), "rsm_cgs": Behind("dit", "dit")}
    (table,) = worth_tables(sampled(records), behind, [("cgs", 10), ("rsm_cgs", 10)], CaptionFacts())
    texts = [[item.text for item in row] for row in table.rows]
    assert [row[3:7] for row in texts] == [
        ["cgs", "50.0 ± 0.0", "3.2 x", "3.2 x"],
        ["rsm_cgs", "70.0 ± 0.0", "> 10 x", "> 10 x"],
    ]
    first, second = table.data()
    assert first["worth_of_model"] == pytest.approx(10**0.5)
    assert (second["worth_of_model"], second["worth_of_model_side"]) == (None, "above")
