"""False verdicts and coverage over the whole grid; ``-s`` prints them."""

import numpy as np
import pytest

from ddbench.results.statistics.paired import ALPHA, compare
from ddbench.results.statistics.ranks import pairwise, rank_intervals
from tests.results.test_statistics_simulated import GRID, holm_studies
from tests.support.records import cell, judged, record, sample
from tests.support.simulated import CHANCES, accuracies

TRIALS = 1000


def draw(random, method, sets, images, sd):
    """A sample of a method, one classifier a set, in which every image is judged."""
    chances = np.repeat(CHANCES, images // len(CHANCES) + 1)[:images]
    members = []
    for seed in range(sets):
        right = random.random(images) < np.clip(chances + random.normal(0, sd), 0, 1)
        members.append(judged(cell(method, seed=seed), right))
    return sample(members)


@pytest.mark.parametrize("sets", [1, 2, 3, 5])
def test_false_verdicts_of_equal_methods(sets):
    """Before: with one set, the test over images decided alone; with more, the same rule as now."""
    print(f"\n{sets} sets: false 'better' or 'worse' before -> now, coverage of the 95 % interval")
    for images, sd in GRID:
        random = np.random.default_rng([sets, images, round(1000 * sd)])
        found = [compare(*(draw(random, m, sets, images, sd) for m in "ab")) for _ in range(TRIALS)]
        now = np.mean([one.verdict in ("better", "worse") for one in found])
        before = np.mean([(one.p_images if one.p is None else one.p) <= ALPHA for one in found])
        inside = f"{np.mean([0 in one.interval for one in found]):.1%}" if sets > 1 else "no interval"
        print(f"  {images} images, sd {100 * sd:.0f}: {before:.1%} -> {now:.1%}, {inside}", flush=True)
        assert now <= ALPHA + 3 * (ALPHA * (1 - ALPHA) / TRIALS) ** 0.5


@pytest.mark.parametrize("sets", [1, 2, 3, 5])
def test_ranks_of_six_methods_at_digits_size(sets):
    """How often a rank interval holds the rank of its method, and how much it narrows down."""
    truth = {"a": 0.50, "b": 0.51, "c": 0.53, "d": 0.60, "e": 0.62, "f": 0.75}
    random, held, width, trials = np.random.default_rng(sets), [], [], 200
    for _ in range(trials):
        row = {
            m: sample(
                [
                    record(cell(m, seed=s), float(x))
                    for s, x in enumerate(accuracies(random, 1, sets, 360, 0.01, mean - 0.6)[0])
                ]
            )
            for m, mean in truth.items()
        }
        for rank, interval in zip(range(6, 0, -1), rank_intervals(list(truth), [pairwise(row)]).values(), strict=True):
            if interval:
                held.append(interval[0] <= rank <= interval[1])
                width.append(interval[1] - interval[0] + 1)
    if sets == 1:
        assert not held
        return
    print(f"\n{sets} sets: rank held {np.mean(held):.1%}, mean width {np.mean(width):.1f} of 6 ranks")
    assert np.mean(held) >= 0.95


@pytest.mark.parametrize("sets", [2, 3, 5])
def test_intervals_of_shown_differences(sets):
    shown, before, after = holm_studies(np.random.default_rng(sets), 20_000, sets, [0.0] * 5 + [0.02, 0.04, 0.06])
    missed = [np.mean((m & shown).sum(1) / np.maximum(shown.sum(1), 1)) for m in (before, after)]
    print(f"\n{sets} sets: intervals of shown differences that miss: {missed[0]:.1%} uncorrected -> {missed[1]:.1%}")
    assert missed[1] <= 0.05
