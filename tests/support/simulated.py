"""Accuracies of distilled sets whose truth is known, from a model of sets, images and classifiers, for many studies."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

CHANCES = (0.3, 0.5, 0.7, 0.9)
"""of being judged right, for four equal groups of images: 60 % on average, and 3 points of a set never reach 0 or 1"""
MEAN = sum(CHANCES) / len(CHANCES)


def right(random, trials, sets, images, sd, shift=0.0):
    """int (trials, sets, groups): images of each group that the classifier of a set has right.

    sd: of the sets of a method, a fraction of accuracy; shift: of all of them.
    """
    sizes = np.diff(np.linspace(0, images, len(CHANCES) + 1).round().astype(int))
    skill = shift + random.normal(0, sd, (trials, sets, 1))
    return random.binomial(sizes, np.clip(np.array(CHANCES) + skill, 0, 1))


def accuracies(random, trials, sets, images, sd, shift=0.0):
    """(trials, sets) shares of ``images`` that are right: one classifier a set."""
    return right(random, trials, sets, images, sd, shift).sum(-1) / images


def over_images(random, a, b, images):
    """p of McNemar's exact test between two single models, (trials,), from ``right`` of one set each.

    In a group the two are independent given their counts: which of the images each has right is drawn.
    """
    sizes = np.diff(np.linspace(0, images, len(CHANCES) + 1).round().astype(int))
    a, b = a[:, 0], b[:, 0]
    both = random.hypergeometric(a, sizes - a, b)
    only_a, only_b = (a - both).sum(-1), (b - both).sum(-1)
    n, least = only_a + only_b, np.minimum(only_a, only_b)
    return np.minimum(1.0, 2 * binom.cdf(least, n, 0.5))
