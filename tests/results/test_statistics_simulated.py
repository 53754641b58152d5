"""What the statistics promise, on data whose truth is known: coverage, false positives, family-wise error."""

import statistics

import numpy as np
import pytest
from scipy.stats import norm

from ddbench.results.statistics.intervals import components, t_interval
from ddbench.results.statistics.paired import ALPHA, compare, holm
from ddbench.results.statistics.ranks import pairwise, rank_intervals
from tests.support.records import cell, judged, record, sample

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


def study(random, method, difficulty, sets, shift=0.0):
    """A sample of models whose chance of being right at an image depends on the image, the set and the model."""
    skill = shift + random.normal(0, 0.25, (sets, 1, 1)) + random.normal(0, 0.15, (sets, CLASSIFIERS, 1))
    chance = 1 / (1 + np.exp(-(difficulty + skill)))
    right = random.random(chance.shape) < chance
    return sample(
        [judged(cell(method, seed=s, eval_seed=e), right[s, e]) for s in range(sets) for e in range(CLASSIFIERS)]
    )


@pytest.mark.parametrize("sets", [3, 5])
def test_two_draws_of_one_method_seldom_differ(sets):
    random, trials = np.random.default_rng(10 + sets), 400
    found = []
    for _ in range(trials):
        difficulty = random.normal(0.5, 1.5, 200)
        found.append(compare(study(random, "a", difficulty, sets), study(random, "b", difficulty, sets)))
    by_sets = statistics.fmean(one.p_sets <= ALPHA for one in found)
    assert by_sets == pytest.approx(ALPHA, abs=margin(ALPHA, trials))
    assert statistics.fmean(one.verdict != "no difference" for one in found) <= ALPHA + margin(ALPHA, trials)


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
