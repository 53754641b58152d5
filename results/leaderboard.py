"""Methods in order, and how sure that order is: a board for each split and protocol, never one across them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ddbench.results.cost import SetFacts, cost_of, front
from ddbench.results.statistics import WHOLE, Position, RowKey, Sample, Select
from ddbench.results.statistics.intervals import Interval, t_interval
from ddbench.results.statistics.paired import ALPHA
from ddbench.results.statistics.power import Separation, sets_needed, spread_of_differences
from ddbench.results.statistics.ranks import Pairs, pairwise, rank_intervals, ranks


@dataclass(frozen=True)
class Standing:
    """A method on a board. Accuracies are fractions, means over the rows of the board."""

    method: str
    rank: float
    """mean rank over the rows; equal accuracies share ranks"""
    ranks: tuple[float, float] | None
    """95 % interval of the mean rank, see ``rank_intervals``; None where it is not tested"""
    mean: float
    interval: Interval | None
    """95 % t interval of ``mean`` over distilled sets; None for a single set, or where rows have other seeds"""
    seconds: float | None
    """computing time of embedding, fine-tuning and distilling for each image, mean over rows; None is unknown"""
    front: bool
    """whether no other method is as cheap and better, or cheaper and as good"""
    sets: tuple[int, ...]
    """distilled sets in each row"""


@dataclass(frozen=True)
class Unresolved:
    """Why no two methods of a board can be told apart: how many sets would show the differences that were measured."""

    sd: float
    """standard deviation of the difference of two distilled sets, a fraction, pooled over all pairs and rows"""
    largest: Separation
    """for the largest difference of two methods in a row"""
    leaders: Separation | None
    """for the largest difference of the first two methods in a row; None where that is ``largest`` or there is none"""
    images: bool
    """whether some methods differ over distilled sets, and only the test over images stands against it"""


@dataclass(frozen=True)
class Board:
    """The methods that are complete in every row, best first, and why the others are left out."""

    split: str
    protocol: str
    select: Select
    rows: tuple[RowKey, ...]
    standings: tuple[Standing, ...]
    left_out: Mapping[str, str]
    """method -> why it has no rank"""
    unresolved: Unresolved | None = None
    """None where some methods are told apart, or nothing is tested"""


def boards(samples: Mapping[Position, Sample], facts: Mapping[str, SetFacts]) -> list[Board]:
    """A board for each split and protocol. ``facts``: by key of the distilled set."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for position, sample in samples.items():
        if position.ipc != WHOLE:
            groups.setdefault((position.split, position.protocol), []).append(sample)
    return [_board(*group, members, facts) for group, members in groups.items()]


def _board(split: str, protocol: str, samples: Sequence[Sample], facts: Mapping[str, SetFacts]) -> Board:
    by_row: dict[RowKey, dict[str, Sample]] = {}
    for sample in samples:
        by_row.setdefault(sample.position.row, {})[sample.position.method] = sample
    methods = dict.fromkeys(sample.position.method for sample in samples)
    left_out = {m: why for m in methods if (why := _lacking(m, by_row))}
    ranked = [method for method in methods if method not in left_out]
    rows = [{method: row[method] for method in ranked} for row in by_row.values()]
    pairs = [pairwise(row) for row in rows]
    standings = _standings(ranked, rows, pairs, facts) if ranked else []
    unresolved = _unresolved(standings, pairs)
    return Board(split, protocol, samples[0].select, tuple(by_row), tuple(standings), left_out, unresolved)


def _lacking(method: str, by_row: Mapping[RowKey, Mapping[str, Sample]]) -> str:
    """Why a method is not complete in every row; empty where it is."""
    for (dataset, arch, ipc), row in by_row.items():
        if method not in row:
            return f"not run on {dataset}, {arch}, IPC {ipc}"
        if row[method].note:
            return f"{row[method].note} on {dataset}, {arch}, IPC {ipc}"
    return ""


def _standings(
    methods: Sequence[str],
    rows: Sequence[Mapping[str, Sample]],
    pairs: Sequence[Pairs],
    facts: Mapping[str, SetFacts],
) -> list[Standing]:
    means = [[statistics.fmean(row[m].set_means.values()) for m in methods] for row in rows]
    orders = [dict(zip(methods, ranks(values), strict=True)) for values in means]
    intervals = rank_intervals(methods, pairs)
    accuracy = {m: statistics.fmean(values[i] for values in means) for i, m in enumerate(methods)}
    costs = {m: [cost_of(row[m].good, facts).own_per_image for row in rows] for m in methods}
    seconds = {m: _mean_if_known(values) for m, values in costs.items()}
    best = front({m: (cost, accuracy[m]) for m, cost in seconds.items() if cost is not None})
    standings = [
        Standing(
            method=m,
            rank=statistics.fmean(order[m] for order in orders),
            ranks=intervals[m],
            mean=accuracy[m],
            interval=_interval([row[m] for row in rows]),
            seconds=seconds[m],
            front=m in best,
            sets=tuple(len(row[m].set_means) for row in rows),
        )
        for m in methods
    ]
    return sorted(standings, key=lambda standing: (standing.rank, -standing.mean))


def _unresolved(standings: Sequence[Standing], pairs: Sequence[Pairs]) -> Unresolved | None:
    """How many sets would tell methods apart, where the rank intervals tell no two apart.

    A method is compared with every other in every row; the number of sets is for the first step of Holm's correction
    over these, the hardest. It counts the test over distilled sets alone.
    """
    everything = (1.0, float(len(standings)))
    tested = [standing for standing in standings if standing.ranks is not None]
    if len(standings) < 2 or not tested or any(standing.ranks != everything for standing in tested):
        return None
    comparisons = [one for row in pairs for one in row.values()]
    sd = spread_of_differences(comparisons)
    if sd is None:
        return None
    level = ALPHA / ((len(standings) - 1) * len(pairs))
    paired = all(one.paired for one in comparisons)
    first_two = {standing.method for standing in standings[:2]}
    largest = max(abs(one.difference) for one in comparisons)
    leading = max(abs(one.difference) for row in pairs for pair, one in row.items() if set(pair) == first_two)
    if not largest:
        return None
    needed = {d: Separation(d, sets_needed(d, sd, level, paired)) for d in (largest, leading) if d}
    images = any(one.p_sets is not None and one.p_sets <= level for one in comparisons)
    return Unresolved(sd, needed[largest], needed.get(leading) if leading < largest else None, images)


def _interval(samples: Sequence[Sample]) -> Interval | None:
    """The t interval of the mean over rows, each seed averaged over the rows first.

    So the sets of one seed may depend on one another as they like: the same set is judged by several archs.
    """
    seeds = set(samples[0].set_means)
    if len(seeds) < 2 or any(set(sample.set_means) != seeds for sample in samples):
        return None
    averages = [statistics.fmean(sample.set_means[seed] for sample in samples) for seed in sorted(seeds)]
    return t_interval(statistics.fmean(averages), statistics.stdev(averages), len(averages))


def _mean_if_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None
