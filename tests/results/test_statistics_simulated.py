"""What the statistics promise, on data whose truth is known: coverage, false positives, family-wise error.

``tests/perf/test_statistics_simulated.py`` prints the whole grid, and runs whole comparisons of records.
"""

import statistics

import numpy as np
import pytest
from scipy.stats import norm, t

from ddbench.results.statistics.equivalence import two_one_sided
from ddbench.results.statistics.intervals import components, t_interval
from ddbench.results.statistics.paired import ALPHA, compare, holm, holm_levels, t_test
from ddbench.results.statistics.ranks import pairwise, rank_intervals
from tests.support.records import cell, judged, record, sample
from tests.support.simulated import MEAN, accuracies, over_images, right

CLASSIFIERS = 2


def nested(random, sets, trials, between=0.02, within=0.015, mean=0.6):
    """(trials, sets, classifiers) accuracies of the nested model."""
    of_sets = random.normal(0, between, (trials, sets, 1))
    return mean + of_sets + random.normal(0, within, (trials, sets, CLASSIFIERS))


def margin(chance, trials):
    """Three standard errors of a share of ``trials``."""
    return 3 * (chance * (1 - chance) / trials) ** 0.5


@pytest.mark.parametrize("sets", [3, 5])
def test_the_95_percent_interval_covers_the_mean_in_95_percent_of_studies(sets):
    trials = 4000
    averages = nested(np.random.default_rng(sets), sets, trials).mean(2)
    covered = [0.6 in t_interval(float(x.mean()), float(x.std(ddof=1)), sets) for x in averages]
    assert statistics.fmean(covered) == pytest.approx(0.95, abs=margin(0.95, trials))


def test_an_interval_over_all_classifiers_as_if_they_were_independent_would_not():
    trials = 2000
    values = nested(np.random.default_rng(0), 3, trials, within=0.005).reshape(trials, -1)
    covered = [0.6 in t_interval(float(x.mean()), float(x.std(ddof=1)), 6) for x in values]
    assert statistics.fmean(covered) < 0.92


def crossed(random, sets, trials, of_sets=0.02, of_classifiers=0.03, rest=0.01, mean=0.6):
    """Accuracies of sets that share the seeds of their classifiers, and what those seeds are worth: (trials, 1, 2)."""
    worth = random.normal(0, of_classifiers, (trials, 1, CLASSIFIERS))
    noise = random.normal(0, of_sets, (trials, sets, 1)) + random.normal(0, rest, (trials, sets, CLASSIFIERS))
    return mean + worth + noise, worth


def test_the_interval_is_for_the_seeds_of_classifiers_that_all_sets_share():
    trials = 3000
    values, worth = crossed(np.random.default_rng(2), 5, trials)
    found = [t_interval(float(x.mean()), float(x.std(ddof=1)), 5) for x in values.mean(2)]
    own = [0.6 + w in interval for w, interval in zip(worth.mean((1, 2)).tolist(), found, strict=True)]
    assert statistics.fmean(own) == pytest.approx(0.95, abs=margin(0.95, trials))
    assert statistics.fmean(0.6 in interval for interval in found) < 0.9


def test_variance_components_are_right_on_average():
    values, _ = crossed(np.random.default_rng(1), 5, 4000)
    found = [components({s: dict(enumerate(row)) for s, row in enumerate(study)}) for study in values.tolist()]
    assert statistics.fmean(one.rest for one in found) == pytest.approx(0.01**2, rel=0.05)
    assert statistics.fmean(one.sets for one in found) == pytest.approx(0.02**2, rel=0.08)
    assert statistics.fmean(one.classifiers for one in found) == pytest.approx(0.03**2, rel=0.12)


GRID = [(images, sd) for images in (360, 500, 3925) for sd in (0.01, 0.02, 0.03)]
"""test images (digits, ten classes of ILSVRC-2012, fastai's ImageNette) and set-to-set standard deviation"""


@pytest.mark.parametrize("sets", [2, 3, 5])
@pytest.mark.parametrize("paired", [True, False], ids=["paired", "welch"])
def test_equal_methods_are_told_apart_over_sets_in_5_percent_of_studies_whatever_images_and_spread(sets, paired):
    random, trials, shares, covered = np.random.default_rng(sets), 2000, [], []
    for images, sd in GRID:
        a, b = (accuracies(random, trials, sets, images, sd) for _ in "ab")
        p, low, high = t_test(a, b, paired)
        shares.append(np.mean(p <= ALPHA))
        covered.append(np.mean((low <= 0) & (high >= 0)))
    # With 360 images and two sets, differences that are equal by their coarse steps add half a point.
    assert max(shares) <= ALPHA + 0.005 + margin(ALPHA, trials)
    assert min(covered) >= 0.95 - 0.005 - margin(0.95, trials)
    if paired:  # Welch's test of two or three sets is known to reject less
        assert min(shares) >= ALPHA - margin(ALPHA, trials)


@pytest.mark.parametrize("sets", [2, 3, 5])
def test_the_interval_of_a_mean_covers_it_whatever_images_and_spread(sets):
    random, trials = np.random.default_rng(20 + sets), 1000
    for images, sd in GRID:
        values = accuracies(random, trials, sets, images, sd)
        covered = [MEAN in t_interval(float(x.mean()), float(x.std(ddof=1)), sets) for x in values]
        assert statistics.fmean(covered) == pytest.approx(0.95, abs=0.005 + margin(0.95, trials))


@pytest.mark.parametrize(
    ("images", "sd", "least"), [(3925, 0.01, 0.2), (3925, 0.02, 0.45), (3925, 0.03, 0.6), (360, 0.03, 0.15)]
)
def test_images_alone_would_call_the_luck_of_one_set_a_difference(images, sd, least):
    random, trials = np.random.default_rng(0), 3000
    a, b = (right(random, trials, 1, images, sd) for _ in "ab")
    assert np.mean(over_images(random, a, b, images) <= ALPHA) > least


def test_one_set_a_side_is_told_apart_in_no_study():
    random = np.random.default_rng(1)
    for _ in range(20):
        difficulty = random.normal(0.5, 1.5, 200)
        one = compare(study(random, "a", difficulty, 1), study(random, "b", difficulty, 1, shift=random.normal()))
        assert one.verdict == "not tested: one set"


def holm_studies(random, trials, sets, effects, sd=0.01):
    """For each study of comparisons with true ``effects``: which are shown, and which intervals miss, before and after
    the correction: three (trials, comparisons) arrays."""
    effects = np.array(effects)
    a = random.normal(0.5, sd, (trials, len(effects), sets))
    b = effects[:, None] + random.normal(0.5, sd, a.shape)
    p, low, high = t_test(a, b, paired=True)
    levels = np.array([holm_levels(row) for row in p])
    widened = t.isf(levels / 2, sets - 1) / t.isf(ALPHA / 2, sets - 1)
    off, half = np.abs((low + high) / 2 - effects), (high - low) / 2
    return p <= levels, off > half, off > widened * half


@pytest.mark.parametrize("sets", [3, 5])
def test_of_the_differences_that_are_shown_5_percent_of_intervals_miss_where_uncorrected_ones_miss_more(sets):
    shown, before, after = holm_studies(np.random.default_rng(sets), 2000, sets, [0.0] * 5 + [0.02, 0.04, 0.06])

    def missing(misses):
        return np.mean((misses & shown).sum(1) / np.maximum(shown.sum(1), 1))

    assert shown.mean() > 0.02
    assert missing(after) <= 0.05 and missing(after) < missing(before)
    assert np.mean(shown[:, :5].any(1)) <= ALPHA + margin(ALPHA, 2000)


@pytest.mark.parametrize("sets", [2, 3, 5])
@pytest.mark.parametrize("sd", [0.005, 0.01, 0.03, 0.05])
def test_a_difference_of_the_margin_is_called_reproduced_or_different_in_at_most_5_percent(sets, sd):
    random, trials = np.random.default_rng(100), 4000
    values = random.normal(0.5 + 0.02, sd, (trials, sets))
    within, beyond, *_ = two_one_sided(values, 0.5, 0.02)
    assert np.mean(within <= ALPHA) <= ALPHA + margin(ALPHA, trials)
    assert np.mean(beyond <= ALPHA) <= ALPHA + margin(ALPHA, trials)


def test_containment_in_an_interval_would_call_most_noise_reproduced():
    random, trials = np.random.default_rng(101), 4000
    values = random.normal(0.5 + 0.05, 0.03, (trials, 3))  # five points off
    half = t.isf(0.025, 2) * values.std(1, ddof=1) / 3**0.5
    assert np.mean(np.abs(values.mean(1) - 0.5) <= half) > 0.5
    assert np.mean(two_one_sided(values, 0.5, 0.02)[0] <= ALPHA) < 0.01


def test_a_method_that_agrees_is_found_to_agree():
    values = np.random.default_rng(102).normal(0.5, 0.005, (2000, 5))
    assert np.mean(two_one_sided(values, 0.5, 0.02)[0] <= ALPHA) > 0.95


def study(random, method, difficulty, sets, shift=0.0):
    """A sample of models whose chance of being right at an image depends on the image, the set and the model."""
    skill = shift + random.normal(0, 0.25, (sets, 1, 1)) + random.normal(0, 0.15, (sets, CLASSIFIERS, 1))
    chance = 1 / (1 + np.exp(-(difficulty + skill)))
    right = random.random(chance.shape) < chance
    return sample(
        [judged(cell(method, seed=s, eval_seed=e), right[s, e]) for s in range(sets) for e in range(CLASSIFIERS)]
    )


@pytest.mark.parametrize("sets", [2, 3, 5])
def test_two_draws_of_one_method_seldom_differ(sets):
    random, trials = np.random.default_rng(10 + sets), 300
    found = []
    for _ in range(trials):
        difficulty = random.normal(0.5, 1.5, 200)
        found.append(compare(study(random, "a", difficulty, sets), study(random, "b", difficulty, sets)))
    by_sets = statistics.fmean(one.p_sets <= ALPHA for one in found)
    assert by_sets == pytest.approx(ALPHA, abs=margin(ALPHA, trials))
    assert statistics.fmean(one.verdict != "not shown" for one in found) <= ALPHA + margin(ALPHA, trials)


def test_two_equally_good_models_seldom_differ_over_images():
    random, trials = np.random.default_rng(3), 500
    found = []
    for _ in range(trials):
        chance = 1 / (1 + np.exp(-random.normal(0.5, 1.5, 200)))
        a, b = (sample([judged(cell(m), random.random(200) < chance)]) for m in "ab")
        found.append(compare(a, b).p_images <= ALPHA)
    assert 0 < statistics.fmean(found) <= ALPHA + margin(ALPHA, trials)


def test_a_method_that_is_better_is_found_better():
    random = np.random.default_rng(4)
    difficulty = random.normal(0.0, 1.5, 300)
    a, b = (study(random, m, difficulty, 5, shift) for m, shift in (("a", 0.0), ("b", 1.5)))
    assert compare(a, b).verdict == "better"


def test_holm_keeps_any_false_rejection_below_the_level_where_uncorrected_tests_do_not():
    random, trials, true = np.random.default_rng(5), 4000, 6
    common = random.normal(size=(trials, 1))
    nulls = 2 * norm.sf(np.abs(0.5**0.5 * common + 0.5**0.5 * random.normal(size=(trials, true))))
    effects = random.random((trials, 3)) * 1e-4
    p = np.concatenate([nulls, effects], axis=1)
    wrong = [min(holm(row)[:true]) <= ALPHA for row in p.tolist()]
    assert statistics.fmean(wrong) <= ALPHA + margin(ALPHA, trials)
    assert np.mean(nulls.min(1) <= ALPHA) > 2 * ALPHA


def test_a_rank_interval_holds_the_rank_in_95_percent_of_studies():
    random, trials = np.random.default_rng(6), 250
    truth = {"a": 0.50, "b": 0.52, "c": 0.60, "d": 0.75}
    held = dict.fromkeys(truth, 0)
    for _ in range(trials):
        row = {
            method: sample([record(cell(method, seed=s), a) for s, a in enumerate(random.normal(mean, 0.02, 5))])
            for method, mean in truth.items()
        }
        found = rank_intervals(list(truth), [pairwise(row)])
        for i, method in enumerate(reversed(truth), start=1):
            held[method] += found[method][0] <= i <= found[method][1]
    assert min(held.values()) / trials >= 0.95 - margin(0.95, trials)
