"""Where an optimum is flat: which settings of a parameter are shown to lie near the best, which to be worse."""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Mapping
from typing import Literal, TypeVar

from ddbench.results.statistics.equivalence import MARGIN, equivalence
from ddbench.results.statistics.paired import ALPHA, holm, t_test

V = TypeVar("V", bound=Hashable)

Nearness = Literal["best", "flat", "worse", "not told"]
"""best: the highest mean; flat: shown to be within the margin of it; worse: shown to be below it; not told: neither"""


def around_best(by_value: Mapping[V, Mapping[int, float]], margin: float = MARGIN) -> dict[V, Nearness]:
    """How each setting stands to the one of the highest mean, pair by pair over the distilled sets that both have.

    ``by_value``: setting -> seed of the distilled set -> top-1, a fraction. Flat by two one-sided t tests against
    ``margin``, else worse by the t test, both corrected for the number of settings (Holm). Fewer than two sets tell
    nothing. The best of several is chosen by the same sets, so that its own mean is optimistic.
    """
    if not by_value:
        return {}
    means = {value: statistics.fmean(sets.values()) for value, sets in by_value.items()}
    best = max(means, key=means.__getitem__)
    others = [value for value in by_value if value != best]
    pairs = {
        v: [(by_value[best][s], by_value[v][s]) for s in sorted({*by_value[best]} & {*by_value[v]})] for v in others
    }
    tested = [value for value in others if len(pairs[value]) > 1]
    below, within = [], []
    for value in tested:
        of_best, own = zip(*pairs[value], strict=True)
        below.append(float(t_test(own, of_best, True)[0]) if statistics.fmean(of_best) > statistics.fmean(own) else 1.0)
        same = equivalence([a - b for a, b in pairs[value]], 0.0, margin)
        within.append(same.p_within if same else 1.0)
    found: dict[V, Nearness] = {value: "best" if value == best else "not told" for value in by_value}
    for value, worse, near in zip(tested, holm(below), holm(within), strict=True):
        found[value] = "flat" if near <= ALPHA else "worse" if worse <= ALPHA else "not told"
    return found
