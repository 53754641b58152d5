"""Statistics of few seeds against closed forms and other people's implementations."""

import itertools
import statistics

import numpy as np
import pytest
from scipy import stats

from ddbench.results.statistics.intervals import Interval, components, t_interval
from ddbench.results.statistics.paired import ALPHA, Comparison, compare, holm, holm_levels, sign_flip, t_test, together
from ddbench.results.statistics.ranks import pairwise, rank_intervals, ranks
from tests.support.records import cell, judged, record, sample


def sets(method, *accuracies, first=0, **kw):
    """A sample with a distilled set for each group of accuracies, one classifier for each."""
    return sample(
        [
            record(cell(method, seed=first + s, eval_seed=e), a, **kw)
            for s, values in enumerate(accuracies)
            for e, a in enumerate(values)
        ]
    )


def test_the_interval_is_that_of_the_t_distribution():
    values = [0.5, 0.56, 0.53, 0.55]
    expected = stats.t.interval(0.95, 3, loc=statistics.fmean(values), scale=stats.sem(values))
    found = t_interval(statistics.fmean(values), statistics.stdev(values), 4)
    assert (found.low, found.high) == pytest.approx(expected)


def test_an_interval_of_accuracies_ends_at_0_and_1():
    assert t_interval(0.95, 0.1, 2) == Interval(pytest.approx(0.0515, abs=1e-3), 1.0)
    assert 0.99 in t_interval(0.95, 0.1, 2) and 0.0 not in t_interval(0.95, 0.1, 2)


def test_the_interval_of_an_estimate_is_over_distilled_sets_not_over_classifiers():
    value = sets("m", (0.5, 0.7), (0.7, 0.9), (0.6, 0.8)).estimate
    assert value.draws == 3
    expected = t_interval(0.7, 0.1, 3)
    assert (value.interval().low, value.interval().high) == pytest.approx((expected.low, expected.high))


def test_a_single_set_has_no_interval():
    assert sets("m", (0.5, 0.7)).estimate.interval() is None


def test_the_whole_train_split_has_the_interval_of_its_classifiers():
    value = sample([record(cell("full", eval_seed=e, ipc=0), a) for e, a in enumerate((0.9, 0.96, 0.93))]).estimate
    assert value.draws == 3
    assert value.interval() == t_interval(value.mean, statistics.stdev([0.9, 0.96, 0.93]), 3)


def by_set(*rows, shared=True):
    """Accuracies by seeds; without ``shared``, no classifier's seed is in two sets."""
    return {s: {e if shared else 100 * s + e: a for e, a in enumerate(row)} for s, row in enumerate(rows)}


def test_components_of_sets_that_share_classifiers_are_those_of_the_crossed_design():
    # Sets 0.3, 0.5, 0.7 and classifiers 0.04 above and below them, and nothing else.
    found = components(by_set(*[(m - 0.04, m + 0.04) for m in (0.3, 0.5, 0.7)]))
    assert found.sets == pytest.approx(0.04)
    assert found.classifiers == pytest.approx(2 * 0.04**2)
    assert found.rest == pytest.approx(0)


def test_crossed_components_agree_with_mean_squares():
    rows = np.random.default_rng(0).normal(0.5, 0.1, (4, 3)) + np.array([[0.0], [0.4], [0.1], [-0.3]]) + [0, 0.5, -0.4]
    found = components(by_set(*rows.tolist()))
    left = rows - rows.mean(1, keepdims=True) - rows.mean(0) + rows.mean()
    rest = (left**2).sum() / 6
    assert found.rest == pytest.approx(rest)
    assert found.sets == pytest.approx((3 * rows.mean(1).var(ddof=1) - rest) / 3)
    assert found.classifiers == pytest.approx((4 * rows.mean(0).var(ddof=1) - rest) / 4)


def test_components_of_sets_with_classifiers_of_their_own_are_those_of_the_nested_design():
    # E[MS within] = e, E[MS between] = e + b s: means 0.2, 0.5, 0.8 of two classifiers 0.1 above and below.
    found = components(by_set((0.1, 0.3), (0.4, 0.6), (0.7, 0.9), shared=False))
    within, between = 6 * 0.1**2 / 3, 2 * 2 * 0.3**2 / 2
    assert found.classifiers == pytest.approx(within)
    assert found.sets == pytest.approx((between - within) / 2)
    assert found.rest is None


def test_components_of_an_unbalanced_design_weigh_sets_by_their_classifiers():
    found = components(by_set((0.1, 0.3), (0.5,)))
    n0 = (3 - 5 / 3) / 1
    within, grand = 0.02, 0.3
    between = 2 * (0.2 - grand) ** 2 + (0.5 - grand) ** 2
    assert found.classifiers == pytest.approx(within)
    assert found.sets == pytest.approx((between - within) / n0)


def test_a_negative_component_is_zero():
    assert components(by_set((0.1, 0.9), (0.1, 0.9), shared=False)).sets == 0
    assert components(by_set((0.1, 0.9), (0.9, 0.1))).sets == 0
    assert components(by_set((0.1, 0.9), (0.9, 0.1))).classifiers == 0


def test_components_that_cannot_be_told_are_none():
    assert components(by_set((0.1,), (0.2,))).classifiers is None
    alone = components(by_set((0.1, 0.3)))
    assert alone.sets is None and alone.classifiers == pytest.approx(0.02)


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (5, 0), (3, 9), (40, 17), (1, 1)])
def test_of_one_pair_of_models_the_image_test_is_mcnemars(better, worse):
    differences = [1] * better + [-1] * worse + [0] * 30
    expected = stats.binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert sign_flip(differences) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_of_many_models_the_image_test_is_fishers_by_enumeration(seed):
    differences = np.random.default_rng(seed).integers(-3, 4, 9)
    sums = [np.dot(signs, np.abs(differences)) for signs in itertools.product((-1, 1), repeat=9)]
    expected = np.mean(np.abs(sums) >= abs(differences.sum()))
    assert sign_flip(differences) == pytest.approx(expected)


def test_the_image_test_takes_fifty_thousand_images():
    differences = np.repeat([-3, -2, -1, 0, 1, 2, 3], 7000)
    assert sign_flip(differences) == pytest.approx(1.0)
    assert sign_flip(np.concatenate([differences, np.full(2000, 3)])) < 1e-10


def test_holm_is_the_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_paired_test_over_sets_is_that_of_scipy():
    a, b = sets("a", (0.5, 0.6), (0.7, 0.7), (0.6, 0.5)), sets("b", (0.6, 0.6), (0.9, 0.7), (0.6, 0.7))
    found = compare(a, b)
    expected = stats.ttest_rel([0.6, 0.8, 0.65], [0.55, 0.7, 0.55])
    interval = expected.confidence_interval()
    assert found.paired and found.p_sets == pytest.approx(expected.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high))
    assert found.difference == pytest.approx(statistics.fmean([0.05, 0.1, 0.1]))


def test_sets_of_other_seeds_are_compared_by_welch():
    a, b = sets("a", (0.5,), (0.7,), (0.6,)), sets("b", (0.8,), (0.9,), first=7)
    found = compare(a, b)
    expected = stats.ttest_ind([0.8, 0.9], [0.5, 0.7, 0.6], equal_var=False)
    interval = expected.confidence_interval()
    assert not found.paired and found.p_sets == pytest.approx(expected.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high))


def test_the_t_tests_are_the_textbook_s_to_the_last_digits():
    random = np.random.default_rng(0)
    for n in (2, 3, 5, 12):
        a, b = random.normal(0.5, 0.02, (100, n)), random.normal(0.52, 0.05, (100, n + 1))
        difference, error, df = [], [], []
        for x, y in zip(a, b, strict=True):
            parts = x.var(ddof=1) / n, y.var(ddof=1) / (n + 1)
            difference.append(y.mean() - x.mean())
            error.append(sum(parts) ** 0.5)
            df.append(sum(parts) ** 2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / n))
        welch = textbook(np.array(difference), np.array(error), np.array(df))
        np.testing.assert_allclose(t_test(a, b, paired=False), welch, atol=2e-14)
        d = b[:, :n] - a
        paired = textbook(d.mean(1), d.std(1, ddof=1) / n**0.5, n - 1)
        np.testing.assert_allclose(t_test(a, b[:, :n], paired=True), paired, atol=2e-14)


def textbook(mean, error, df):
    half = stats.t.ppf(0.975, df) * error
    return 2 * stats.t.sf(np.abs(mean) / error, df), mean - half, mean + half


@pytest.mark.parametrize("paired", [True, False])
def test_differences_without_spread_are_as_sure_as_it_gets(paired, recwarn):
    p, low, high = t_test([[0.5, 0.5], [0.5, 0.5]], [[0.6, 0.6], [0.5, 0.5]], paired)
    assert p.tolist() == [0.0, 1.0] and low.tolist() == high.tolist() == [pytest.approx(0.1), 0.0]
    assert not recwarn


@pytest.mark.parametrize("more", [(), (0.6, 0.61)])
def test_a_single_set_on_a_side_is_never_tested_whatever_its_images_say(more):
    a = sample([judged(cell("a"), [True] * 3 + [False] * 9)])
    b = sample([judged(cell("b"), [True] * 12)] + [record(cell("b", seed=s), x) for s, x in enumerate(more, 1)])
    found = compare(a, b)
    assert (found.p_sets, found.interval, found.p) == (None, None, None)
    assert {found.verdict, compare(b, a).verdict} == {"not tested: one set"}
    if not more:
        assert found.p_images == pytest.approx(2 * 0.5**9)  # told, and not used
    assert rank_intervals("ab", [pairwise({"a": a, "b": b})]) == {"a": None, "b": None}


def test_the_whole_train_split_is_compared_over_its_classifiers():
    a, b = (
        sample([record(cell("full", eval_seed=e, ipc=0), base + e / 1000) for e in range(3)]) for base in (0.9, 0.95)
    )
    found = compare(a, b)
    assert (found.sets, found.paired, found.verdict) == (3, True, "better")


def test_a_difference_must_hold_over_sets_and_over_images():
    def made(method, accuracies, right):
        return sample([record(cell(method, seed=s), a, right=right) for s, a in enumerate(accuracies)])

    steady = (0.5, 0.501, 0.502), (0.6, 0.601, 0.602)
    few = compare(made("a", steady[0], [False] * 10), made("b", steady[1], [True] + [False] * 9))
    assert few.p_sets < 1e-6 and few.p == few.p_images and few.verdict == "not shown"
    shaky = compare(made("a", (0.5, 0.5, 0.5), [False] * 40), made("b", (0.45, 0.9, 0.6), [True] * 40))
    assert shaky.p_images < 1e-6 and shaky.p == shaky.p_sets and shaky.verdict == "not shown"


def test_images_of_another_split_or_version_of_the_data_are_not_paired():
    right = [True, False] * 8
    a = sample([judged(cell("a"), right, dataset={"fingerprint": "x"})])
    assert compare(a, sample([judged(cell("b", split="other"), right)])).p_images is None
    assert compare(a, sample([judged(cell("b"), right, dataset={"fingerprint": "y"})])).p_images is None
    assert compare(a, sample([judged(cell("b"), right, dataset={"fingerprint": "x"})])).p_images == 1.0
    assert compare(a, sample([record(cell("b"), 0.5)])).p_images is None


def test_models_of_unequal_number_are_weighed():
    one = sample([judged(cell("a"), [True, False, False, False])])
    two = sample([judged(cell("b", eval_seed=e), [True, True, True, e == 0]) for e in (0, 1)])
    # Twice the one against both: 0, 2, 2, 1. All signs alike: 2 of 2^3.
    assert compare(one, two).p_images == pytest.approx(0.25)


A = (0.50, 0.51, 0.52)


def against(*changes):
    """A comparison of ``A`` with itself, changed by so much in each set."""
    return Comparison(A, tuple(a + change for a, change in zip(A, changes, strict=True)), paired=True)


CLEAR, LIKELY, NONE = against(0.1, 0.101, 0.102), against(0.08, 0.1, 0.12), against(-0.02, 0.0, 0.021)
SINGLE = Comparison((0.5,), (0.6,), paired=True)


def test_untested_comparisons_do_not_count_in_the_correction():
    found = together([CLEAR, SINGLE, LIKELY])
    assert [one.adjusted for one in found] == [pytest.approx(2 * CLEAR.p), None, pytest.approx(LIKELY.p)]
    assert [one.verdict for one in found] == ["better", "not tested: one set", "better"]


def test_holm_s_levels_are_those_of_its_steps_up_to_the_one_where_it_stops():
    assert holm_levels([0.001, 0.9, 0.02, 0.03], 0.05) == pytest.approx([0.05 / 4, 0.05 / 3, 0.05 / 3, 0.05 / 3])
    assert holm_levels([0.001, 0.04, 0.02], 0.05) == pytest.approx([0.05 / 3, 0.05, 0.05 / 2])
    assert holm_levels([]) == []


def test_a_p_value_is_below_its_level_exactly_where_holm_rejects():
    for p in np.random.default_rng(0).random((200, 6)) ** 4:
        assert [x <= level for x, level in zip(p, holm_levels(p), strict=True)] == [x <= ALPHA for x in holm(p)]


def test_intervals_are_corrected_as_p_is():
    clear, likely, none = together([CLEAR, LIKELY, NONE])
    assert [one.confidence for one in (clear, likely, none)] == pytest.approx([1 - 0.05 / 3, 1 - 0.05 / 2, 0.95])
    expected = stats.ttest_rel(LIKELY.b, LIKELY.a).confidence_interval(0.975)
    assert (likely.interval.low, likely.interval.high) == pytest.approx((expected.low, expected.high))
    assert together([LIKELY])[0].interval == LIKELY.interval


def test_an_interval_holds_zero_exactly_where_no_difference_is_shown():
    random, shown = np.random.default_rng(1), 0
    for _ in range(40):
        d = random.normal(random.choice([0, 0.03, 0.1], 5)[:, None], 0.01, (5, 3))
        for one in together(against(*row) for row in d):
            assert (0 in one.interval) == (one.verdict == "not shown")
            shown += one.verdict != "not shown"
    assert 20 < shown < 180


def test_equal_means_share_their_rank():
    assert ranks([0.5, 0.9, 0.5, 0.1]) == [2.5, 1, 2.5, 4]
    assert ranks([0.1 + 0.2, 0.3]) == [1.5, 1.5]


def test_a_rank_interval_leaves_out_the_ranks_of_what_is_surely_better_or_worse():
    row = {
        name: sets(name, *[(base + s / 1000,) for s in range(3)]) for name, base in zip("ab", (0.2, 0.5), strict=True)
    }
    row["c"] = sets("c", (0.1,), (0.5,), (0.6,))
    assert rank_intervals("abc", [pairwise(row)]) == {"a": (2, 3), "b": (1, 2), "c": (1, 3)}


def test_rank_intervals_of_several_rows_are_of_the_mean_rank():
    sure = {
        name: sets(name, *[(base + s / 1e5,) for s in range(3)]) for name, base in zip("ab", (0.2, 0.5), strict=True)
    }
    unsure = {name: sets(name, (0.2,), (0.5,), (0.4,)) for name in "ab"}
    assert rank_intervals("ab", [pairwise(sure), pairwise(unsure)]) == {"a": (1.5, 2), "b": (1, 1.5)}
